/** Every operation in every state: what comes of it is compared with the tables of docs/volume-operations.md, cell by cell. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type ReelError, toReelError } from '../../src/errors.ts';
import { run } from '../../src/exec/run.ts';
import type { Request } from '../../src/helper/protocol.ts';
import { createRequest, describeEngines, emulated, type Helper, openRequest, Place } from '../helper/harness.ts';
import { readTable, shared, tableOf, writeTable, writing } from './operations-table.ts';
import { finish, start, status } from './rewriting.ts';

const states = ['absent', 'unfinished', 'locked', 'open', 'open read-only', 'in use', 'pieces'] as const;
type State = (typeof states)[number];

/** The smallest: it is rewritten several times. */
const size = 48 * 1024 * 1024;

await describeEngines('operations', (engine) => {
  let place: Place;
  let helper: Helper;
  let holder: ChildProcess | undefined;
  before(async () => {
    place = await Place.make();
    helper = await place.helper();
    await helper.client.call(createRequest(engine, { size }));
  });
  after(async () => {
    holder?.kill('SIGKILL');
    await place.destroy();
  });

  const operations: Readonly<Record<string, Omit<Request, 'name'>>> = {
    inspect: { verb: 'inspect', descriptor: true } as Request,
    holders: { verb: 'holders' } as Request,
    'lease-list': { verb: 'lease-list' } as Request,
    'keys-list': { verb: 'keys-list' } as Request,
    'keys-rotate': { verb: 'keys-rotate' } as Request,
    reencrypt: start('') as Request,
    'grow (to its size)': { verb: 'grow', size } as Request,
    open: openRequest(engine),
    'open read-only': openRequest(engine, { readOnly: true }),
    lock: { verb: 'lock' } as Request,
    create: createRequest(engine, { size }),
    destroy: { verb: 'destroy', confirm: '' } as Request,
  };

  const call = async (request: Omit<Request, 'name'>, name: string): Promise<Record<string, unknown>> => {
    const confirm = 'confirm' in request ? { confirm: name } : {};
    const { result, fd } = await helper.client.call({ ...request, ...confirm, name } as Request);
    if (fd >= 0) closeSync(fd);
    return result as unknown as Record<string, unknown>;
  };

  /** What the helper finds, in the words of the columns. */
  const found = async (name: string): Promise<string> => {
    const { state, access } = await call({ verb: 'inspect', descriptor: false } as Request, name);
    if (state === 'stale') return 'pieces';
    return state === 'open' && access === 'readOnly' ? 'open read-only' : String(state);
  };

  const unlock = async (name: string): Promise<void> => {
    if (holder !== undefined) {
      holder.kill('SIGKILL');
      await once(holder, 'exit');
      holder = undefined;
    }
    await call({ verb: 'lock' } as Request, name);
  };

  /** Brings a volume into the state, from whatever it is in, and gives its name. */
  const bring = async (state: State): Promise<string> => {
    if (state === 'absent' || state === 'unfinished') {
      await unlock('w');
      for (const file of [place.container('w'), path.join(place.storage, 'keys/w.key')])
        await rm(file, { force: true });
      if (state === 'unfinished') await writeFile(path.join(place.storage, 'containers/.w.luks.creating'), '');
      return 'w';
    }
    if ((state === 'in use' ? 'open' : state) === (await found('v')) && (state === 'in use') === (holder !== undefined))
      return 'v';
    await unlock('v');
    if ((await found('v')) === 'absent') await call(createRequest(engine, { size }), 'v');
    if (state === 'locked') return 'v';
    await call(openRequest(engine, { readOnly: state === 'open read-only' }), 'v');
    const point = path.join(place.mounts, 'v');
    if (state === 'pieces') await run('umount', [point], { timeoutMs: 60_000 });
    if (state === 'in use') {
      holder = spawn('sleep', ['600'], { cwd: path.join(point, 'dvr') });
      await once(holder, 'spawn');
    }
    return 'v';
  };

  const outcomes = new Map(Object.keys(operations).map((name) => [name, new Map<string, string>()]));
  for (const state of states) {
    test(`what each operation does to a volume that is ${state}`, async () => {
      for (const [operation, request] of Object.entries(operations)) {
        const name = await bring(state);
        const before_ = await found(name);
        const outcome = await call(request, name).then(
          async () => {
            const now = await found(name);
            if ((await status(helper, name).catch(() => undefined))?.state === 'running') await finish(helper, name);
            return now === before_ ? 'done' : `→ ${now}`;
          },
          (error: ReelError) => `\`${toReelError(error).code}\``,
        );
        if (outcome.startsWith('`'))
          assert.equal(await found(name), before_, `${operation} failed and changed the volume`);
        outcomes.get(operation)?.set(state, outcome);
      }
      await unlock(await bring(state));
    });
  }

  test('the page says the same', async () => {
    const table = tableOf(outcomes);
    if (writing) await (emulated ? writeFile(shared, table) : writeTable(engine, table));
    else assert.equal(table, await readTable(engine), 'docs/volume-operations.md says how to write it anew');
  });
});
