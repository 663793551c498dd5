/** Opening without an admin: key file, systemd credential, Tang and TPM through Clevis, all of them real. */
import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { ReelError } from '../../src/errors.ts';
import { run } from '../../src/exec/run.ts';
import type { Unlocked } from '../../src/helper/protocol/unlock.ts';
import type { Attempt, Unattended } from '../../src/volume/unlock/way.ts';
import { type Helper, nothingLeft, Place } from '../helper/harness.ts';
import { bytes, KeyedVolume } from './keys.ts';
import { hostile, Tang } from './tang.ts';

const engine = 'userspace';

describe('unlock', () => {
  let place: Place;
  let tang: Tang;
  let helper: Helper;
  /** Where Clevis works; other tests have theirs elsewhere. */
  let temporary: string;
  let unattended: Unattended;
  let volume: KeyedVolume;

  before(async () => {
    place = await Place.make();
    tang = new Tang(place.root);
    await tang.start();
    const credentials = path.join(place.root, 'credentials');
    await mkdir(credentials, { mode: 0o700 });
    temporary = path.join(place.root, 'temporary');
    await mkdir(temporary);
    unattended = { credentials, env: { TMPDIR: temporary } };
    helper = await place.helper({ unattended });
    volume = new KeyedVolume(place, 'v', engine);
    await volume.create(helper, 'phrase');
  });
  after(async () => {
    await tang.stop();
    await place.destroy();
  });
  afterEach(async () => {
    await helper.client.call({ verb: 'lock', name: 'v' });
    assert.deepEqual(await place.leftovers(), nothingLeft);
  });

  const unlock = async (name = 'v'): Promise<Unlocked> => {
    const { result, fd } = await helper.client.call({ verb: 'unlock', name, engine });
    closeSync(fd);
    return result;
  };
  const refused = async (name = 'v'): Promise<readonly Attempt[]> => {
    const error = await unlock(name).then(
      () => assert.fail('opened'),
      (thrown: ReelError) => thrown,
    );
    assert.ok(error instanceof ReelError && error.code === 'auto-open-failed', String(error));
    return error.details.attempts as readonly Attempt[];
  };
  const ways = (attempts: readonly Attempt[]): string[] => attempts.map(({ way, code }) => `${way} ${code}`);
  const nothingElse = ['keyFile not-found', 'credential not-found'];
  const thumbprints = async (): Promise<readonly string[]> =>
    (await helper.client.call({ verb: 'unlock-tang', url: tang.url })).result.thumbprints;
  const bindTang = async ({ client } = helper, name = 'v', url = tang.url) =>
    (
      await client.call(
        {
          ...{ verb: 'unlock-bind', name, current: 'passphrase', pin: 'tang', url },
          thumbprint: (await thumbprints())[0] ?? '',
        },
        bytes('phrase'),
      )
    ).result;

  test('without a way: refused with each reason, and nothing is attached', async () => {
    assert.deepEqual(ways(await refused()), nothingElse);
  });

  test('a credential opens; a wrong one, a link, a public or an empty one does not', async () => {
    const file = path.join(unattended.credentials ?? '', 'reelvault-v.key');
    await writeFile(file, 'phrase', { mode: 0o400 });
    const { openedBy, attempts, state } = await unlock();
    assert.deepEqual([openedBy, state], [{ way: 'credential', slot: null }, 'open']);
    assert.deepEqual(ways(attempts), ['keyFile not-found']);
    // Open already: nothing is tried.
    assert.equal((await unlock()).openedBy, null);
    await helper.client.call({ verb: 'lock', name: 'v' });
    await chmod(file, 0o444);
    assert.match((await refused())[1]?.reason ?? '', /mode 444/);
    await rename(file, `${file}.real`);
    await chmod(`${file}.real`, 0o400);
    await symlink(`${file}.real`, file);
    assert.match((await refused())[1]?.reason ?? '', /ELOOP/);
    await rm(file);
    await run('mkfifo', ['-m', '400', file], { timeoutMs: 10_000 });
    assert.match((await refused())[1]?.reason ?? '', /regular file/);
    await rm(file);
    for (const [text, code] of [
      ['', 'not-found'],
      ['wrong', 'wrong-key'],
    ] as const) {
      await writeFile(file, text, { mode: 0o400 });
      assert.deepEqual(ways(await refused()), ['keyFile not-found', `credential ${code}`]);
      await rm(file);
    }
  });

  test('nobody is trusted who is not signed for, and nothing is written then', async () => {
    const former = await readFile(volume.container);
    const call = helper.client.call(
      {
        ...{ verb: 'unlock-bind', name: 'v', current: 'passphrase', pin: 'tang', url: tang.url },
        thumbprint: 'A'.repeat(43),
      },
      bytes('phrase'),
    );
    await assert.rejects(call, { code: 'tang-untrusted' });
    const header = former.subarray(0, 32 * 1024);
    assert.ok((await readFile(volume.container)).subarray(0, header.length).equals(header));
  });

  test('Tang: bound, listed, understood by Clevis itself, and it opens', async () => {
    const shown = await run('/usr/bin/tang-show-keys', [new URL(tang.url).port], { timeoutMs: 10_000 });
    assert.deepEqual(await thumbprints(), shown.stdout.toString().trim().split('\n'));
    const bound = await bindTang();
    assert.deepEqual(bound, { slot: 1, added: true, binding: `tang ${tang.url}` });
    assert.deepEqual(await bindTang(), { ...bound, added: false });
    await volume.proveSettled();
    const { result } = await helper.client.call({ verb: 'keys-list', name: 'v' });
    assert.deepEqual(
      result.keys.map(({ slot, kind, binding }) => [slot, kind, binding]),
      [
        [0, 'passphrase', null],
        [1, null, `tang ${tang.url}`],
      ],
    );
    const options = { timeoutMs: 30_000 };
    const list = await run('clevis', ['luks', 'list', '-d', volume.container], options);
    assert.equal(list.stdout.toString().trim(), `1: tang '{"url":"${tang.url}"}'`);
    const pass = await run('clevis', ['luks', 'pass', '-d', volume.container, '-s', '1'], options);
    assert.equal(await volume.slotOf(pass.stdout), 1);
    const { openedBy, attempts } = await unlock();
    assert.deepEqual([openedBy, ways(attempts)], [{ way: 'tang', slot: 1 }, nothingElse]);
    assert.deepEqual(await readdir(temporary), []);
  });

  for (const [how, answer] of Object.entries(hostile)) {
    test(`a Tang server that answers with ${how}: refused in time, nothing left running`, async () => {
      await tang.answer(answer);
      assert.deepEqual(ways(await refused()).slice(0, 2), nothingElse);
      await assert.rejects(thumbprints(), { code: 'tang-unavailable' });
      const running = await run('ps', ['-eo', 'args'], { timeoutMs: 10_000 });
      assert.ok(!running.stdout.toString().includes(tang.url), 'a child is left');
      assert.deepEqual(await readdir(temporary), []);
      await tang.start();
    });
  }

  test('a dead server is passed over for the next one', async () => {
    const other = new Tang(path.join(place.root, 'other'));
    await other.start();
    try {
      const { result } = await helper.client.call({ verb: 'unlock-tang', url: other.url });
      const call = { verb: 'unlock-bind', name: 'v', current: 'passphrase', pin: 'tang', url: other.url } as const;
      await helper.client.call({ ...call, thumbprint: result.thumbprints[0] ?? '' }, bytes('phrase'));
      await tang.answer(hostile.silence);
      const begun = performance.now();
      const { openedBy, attempts } = await unlock();
      assert.deepEqual(openedBy, { way: 'tang', slot: 2 });
      assert.deepEqual(ways(attempts), [...nothingElse, 'tang command-timeout']);
      // Five seconds are promised until the next way is tried; the rest of this is opening, on a busy machine.
      assert.ok(performance.now() - begun < 60_000);
      assert.match(attempts[2]?.reason ?? '', /within 3000 ms/);
    } finally {
      await other.stop();
      await tang.start();
    }
  });
});
