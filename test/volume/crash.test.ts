/** `kill -9` of the helper after each numbered step and at arbitrary times, and of the block plane: the next call sets it right. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReelError } from '../../src/errors.ts';
import { createRequest, describeEngines, type Helper, openRequest, Place, shorter } from '../helper/harness.ts';
import { StepPlan } from '../helper/step-plan.ts';
import { beforeName } from './create-steps.ts';

const none = { loops: [], mounts: [], processes: [] };
const afterName = ['half-named', 'named', 'flushed', 'unmounted', 'detached'];

await describeEngines('crashes', (engine) => {
  let place: Place;
  before(async () => {
    place = await Place.make();
  });
  after(() => place.destroy());

  /** The files of volume `name`, temporary ones included. */
  const files = async (name: string): Promise<string[]> => {
    const all = await Promise.all(['containers', 'keys'].map((each) => readdir(path.join(place.storage, each))));
    return all.flat().filter((file) => file.replace(/^\./, '').startsWith(`${name}.`));
  };

  const backups = (uuid: string | null) =>
    readdir(path.join(place.storage, 'headers')).then((all) => all.filter((file) => file.startsWith(`${uuid}.`)));

  /** Opens the volume, reads what `content` says is there, locks it, and looks that nothing is left. */
  const proveWhole = async ({ client }: Helper, name: string, content?: string): Promise<void> => {
    const { result, fd } = await client.call(openRequest(engine, { name }));
    if (content !== undefined) assert.equal(await readFile(`/proc/self/fd/${fd}/dvr/x`, 'utf8'), content);
    await writeFile(`/proc/self/fd/${fd}/dvr/y`, 'y');
    closeSync(fd);
    assert.equal((await client.call({ verb: 'lock', name })).result.state, 'locked');
    assert.deepEqual(await place.leftovers(), none);
    assert.deepEqual(await files(name), [`${name}.luks`, `${name}.key`]);
    assert.equal((await backups(result.uuid)).length, 1);
  };

  const crash = async (step: string, call: (helper: Helper) => Promise<unknown>): Promise<void> => {
    const helper = await place.helper({ crashAfter: step });
    await assert.rejects(call(helper), { code: 'helper-unavailable' });
    assert.equal(await helper.ended, 'SIGKILL');
  };

  for (const step of shorter(beforeName, 4)) {
    test(`create, killed after "${step}": the same call again makes the volume`, async () => {
      const name = `before-${step}`;
      await crash(step, ({ client }) => client.call(createRequest(engine, { name })));
      const helper = await place.helper();
      const { result: found } = await helper.client.call({ verb: 'inspect', name, descriptor: true });
      assert.ok(['absent', 'unfinished'].includes(found.state), found.state);
      if (found.state === 'unfinished') {
        await assert.rejects(helper.client.call(openRequest(engine, { name })), { code: 'volume-state' });
      }
      const { result } = await helper.client.call(createRequest(engine, { name }));
      assert.equal(result.state, 'locked');
      assert.deepEqual(await place.leftovers(), none);
      await proveWhole(helper, name);
      assert.deepEqual((await readdir(path.join(place.storage, 'headers'))).length, (await volumes()).length);
      await helper.stop();
    });
  }

  const volumes = async (): Promise<string[]> =>
    (await readdir(path.join(place.storage, 'containers'))).filter((file) => file.endsWith('.luks'));

  for (const step of shorter(afterName, 4)) {
    test(`create, killed after "${step}": the same call again says that the volume exists, and it opens`, async () => {
      const name = `after-${step}`;
      await crash(step, ({ client }) => client.call(createRequest(engine, { name })));
      const helper = await place.helper();
      await assert.rejects(helper.client.call(createRequest(engine, { name })), (error: ReelError) => {
        assert.equal(error.code, 'already-exists');
        assert.match(error.message, /open the volume/);
        return true;
      });
      await proveWhole(helper, name);
      await helper.stop();
    });
  }

  /** A locked volume that holds `dvr/x`. */
  const prepare = async (name: string): Promise<void> => {
    const helper = await place.helper();
    const { fd } = await helper.client.call(createRequest(engine, { name, open: true }));
    await writeFile(`/proc/self/fd/${fd}/dvr/x`, name);
    closeSync(fd);
    await helper.client.call({ verb: 'lock', name });
    await helper.stop();
  };

  test('open, killed after each step: the same call again opens, and so does a lock clean up', async () => {
    await prepare('opens');
    const cases = [
      ['cleaned', 'open'],
      ['attached', 'lock'],
      ['checked', 'open'],
      ['mounted', 'lock'],
      ['mounted', 'open'],
      ['proven', 'lock'],
    ] as const;
    for (const [step, next] of shorter(cases, 5)) {
      await crash(step, ({ client }) => client.call(openRequest(engine, { name: 'opens' })));
      const helper = await place.helper();
      if (next === 'lock') {
        assert.equal((await helper.client.call({ verb: 'lock', name: 'opens' })).result.state, 'locked');
        assert.deepEqual(await place.leftovers(), none, `lock after a crash at ${step}`);
      }
      await proveWhole(helper, 'opens', 'opens');
      await helper.stop();
    }
  });

  test('lock, killed after each step: the same call again locks, and so does an open work', async () => {
    await prepare('locks');
    const cases = [
      ['flushed', 'lock'],
      ['unmounted', 'open'],
      ['unmounted', 'lock'],
      ['detached', 'open'],
    ] as const;
    for (const [step, next] of shorter(cases)) {
      const first = await place.helper();
      closeSync((await first.client.call(openRequest(engine, { name: 'locks' }))).fd);
      await first.stop();
      await crash(step, ({ client }) => client.call({ verb: 'lock', name: 'locks' }));
      const helper = await place.helper();
      if (next === 'lock') {
        assert.equal((await helper.client.call({ verb: 'lock', name: 'locks' })).result.state, 'locked');
        assert.deepEqual(await place.leftovers(), none, `lock after a crash at ${step}`);
      }
      await proveWhole(helper, 'locks', 'locks');
      await helper.stop();
    }
  });

  test('killed at arbitrary times, with commands of the helper still running: create and open get there', async () => {
    for (const delayMs of shorter([200, 40, 500], 3)) {
      const name = `at-${delayMs}`;
      for (const verb of ['create', 'open'] as const) {
        const helper = await place.helper();
        const call =
          verb === 'create'
            ? helper.client.call(createRequest(engine, { name, open: true }))
            : helper.client.call(openRequest(engine, { name }));
        const outcome = call.then(
          ({ fd }) => closeSync(fd),
          (error: ReelError) => assert.equal(error.code, 'helper-unavailable'),
        );
        await sleep(delayMs);
        process.kill(helper.pid, 'SIGKILL');
        await outcome;
        const next = await place.helper();
        if (verb === 'create') {
          await next.client.call(createRequest(engine, { name })).catch((error: ReelError) => {
            assert.equal(error.code, 'already-exists', error.message);
          });
          await next.client.call({ verb: 'lock', name });
          assert.deepEqual(await place.leftovers(), none);
        } else await proveWhole(next, name);
        await next.stop();
      }
    }
  });

  // the kernel engine has no process to kill
  const testBlockPlane = engine === 'userspace' ? test : undefined;
  testBlockPlane?.(
    'a block plane that is killed while its volume is opened is what the error names, whatever met it first',
    async () => {
      await prepare('opening');
      const plan = new StepPlan(path.join(place.root, 'plan'));
      const helper = await place.helper({ plan: { directory: plan.directory, root: place.root } });
      const open = () => helper.client.call(openRequest(engine, { name: 'opening' }));
      for (const step of ['attached', 'checked', 'mounted', 'proven']) {
        plan.arm({ step, nth: 1, planesOf: place.root });
        await assert.rejects(open(), (error: ReelError) => {
          assert.equal(error.code, 'block-plane-died', `${step}: ${error.message}`);
          assert.match(error.message, /open/);
          return true;
        });
        await proveWhole(helper, 'opening', 'opening');
      }
      await helper.stop();
    },
  );
  testBlockPlane?.('a lock waits for a block plane that has closed the container and is still ending', async () => {
    await prepare('ending');
    const helper = await place.helper();
    const { result, fd } = await helper.client.call(openRequest(engine, { name: 'ending' }));
    closeSync(fd);
    // a process that looks like it, and lives a second longer
    const program = path.join(place.root, 'luksblock');
    await copyFile('/bin/bash', program);
    const slow = spawn(program, ['-c', 'sleep 1; true', path.join(place.runtime, 'block', result.uuid ?? '')]);
    await once(slow, 'spawn');
    await helper.client.call({ verb: 'lock', name: 'ending' });
    assert.deepEqual(await place.leftovers(), none);
    await helper.stop();
  });
  testBlockPlane?.(
    'a block plane that is killed: seen at once, cleaned up by lock and by open, what was synced is there',
    async () => {
      await prepare('plane');
      const helper = await place.helper();
      for (const next of ['lock', 'open'] as const) {
        const { result, fd } = await helper.client.call(openRequest(engine, { name: 'plane' }));
        closeSync(fd);
        process.kill(result.blockPid ?? 0, 'SIGKILL');
        while ((await place.leftovers()).processes.length > 0) await sleep(10);
        const { result: found } = await helper.client.call({ verb: 'inspect', name: 'plane', descriptor: false });
        assert.deepEqual([found.state, found.problem?.code], ['stale', 'block-plane-died']);
        if (next === 'lock') {
          await helper.client.call({ verb: 'lock', name: 'plane' });
          assert.deepEqual(await place.leftovers(), none);
        }
        await proveWhole(helper, 'plane', 'plane');
      }
      await helper.stop();
    },
  );
});
