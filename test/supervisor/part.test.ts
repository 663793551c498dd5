import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { ReelError } from '../../src/errors.ts';
import { Part, type PartEvent } from '../../src/supervisor/part.ts';

interface Hooks {
  after: (f: () => Promise<void>) => void;
}

/** A part whose process runs `script`; `until` resolves with the first event that fits. */
const setup = (t: Hooks, script: string, options: { readyTimeoutMs?: number; input?: Buffer } = {}) => {
  const events: PartEvent[] = [];
  const waiting: { fits: (event: PartEvent) => boolean; resolve: (event: PartEvent) => void }[] = [];
  const log = new PassThrough().resume();
  const part = new Part({
    name: 'part',
    command: process.execPath,
    args: ['-e', script],
    env: () => ({ PATH: '/usr/bin:/bin' }),
    cwd: '/',
    ...(options.input === undefined ? {} : { input: options.input }),
    log,
    backoff: { first: 10, longest: 40, soon: 60_000 },
    readyTimeoutMs: options.readyTimeoutMs ?? 30_000,
    onEvent: (event) => {
      events.push(event);
      for (const one of waiting) if (one.fits(event)) one.resolve(event);
    },
  });
  t.after(() => part.stop(0));
  const until = (fits: (event: PartEvent) => boolean): Promise<PartEvent> =>
    new Promise((resolve) => waiting.push({ fits, resolve }));
  return { part, events, until };
};

const ready = `process.stdout.write(JSON.stringify({ ready: true, fact: 7 }) + '\\n');`;
const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('a part is ready with its first line, and ends on SIGTERM', async (t) => {
  const { part } = setup(t, `${ready} setInterval(() => {}, 1e6);`);
  assert.equal((await part.start()).fact, 7);
  const pid = part.pid ?? 0;
  assert.equal(alive(pid), true);
  await part.stop(10_000);
  assert.equal(alive(pid), false);
  await part.stop(10_000);
});

test('a killed part is started again, with longer pauses while it keeps dying', async (t) => {
  const { part, until, events } = setup(t, `${ready} setInterval(() => {}, 1e6);`);
  await part.start();
  for (let round = 0; round < 4; round += 1) {
    const former = part.pid ?? 0;
    const started = until((event) => event.event === 'started' && event.pid !== former);
    process.kill(former, 'SIGKILL');
    await started;
    assert.notEqual(part.pid, former);
  }
  const pauses = events.flatMap((event) => (event.event === 'died' ? [event.againInMs] : []));
  assert.deepEqual(pauses, [10, 20, 40, 40]);
});

test('a part that refuses on a later start is tried again', async (t) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'reelvault-part-'));
  t.after(() => rm(directory, { recursive: true }));
  const flag = path.join(directory, 'flag');
  const { part, until } = setup(
    t,
    `if (require('fs').existsSync('${flag}')) process.exit(3); ${ready} setInterval(() => {}, 1e6);`,
  );
  await part.start();
  await writeFile(flag, '');
  const refused = until((event) => event.event === 'refused');
  process.kill(part.pid ?? 0, 'SIGKILL');
  assert.match(((await refused) as { how: string }).how, /exit code 3/);
  const started = until((event) => event.event === 'started');
  await rm(flag);
  await started;
});

test('the reason of a part that cannot run at its first start is thrown, and it is not tried again', async (t) => {
  const line = JSON.stringify({
    ready: false,
    error: { code: 'config-invalid', expected: 'a', got: 'b', details: { key: 'x' } },
  });
  const { part, events } = setup(
    t,
    `process.stdout.write(${JSON.stringify(`${line}\n`)}); setInterval(() => {}, 1e6);`,
  );
  await assert.rejects(
    part.start(),
    (error: ReelError) => error.code === 'config-invalid' && error.details.key === 'x',
  );
  assert.equal(part.pid, undefined);
  assert.deepEqual(events, []);
});

for (const [title, script, got] of [
  ['ends', 'process.exit(9)', /exit code 9/],
  ['says something else', "console.log('hello'); setInterval(() => {}, 1e6)", /hello/],
  ['says nothing', 'setInterval(() => {}, 1e6)', /nothing for 200 ms/],
] as const) {
  test(`a part that ${title} instead of being ready`, async (t) => {
    const { part } = setup(t, script, title === 'says nothing' ? { readyTimeoutMs: 200 } : {});
    await assert.rejects(
      part.start(),
      (error) => error instanceof ReelError && error.code === 'not-running' && got.test(error.message),
    );
  });
}

test('a program that does not exist', async (t) => {
  const part = new Part({
    name: 'part',
    command: '/no/such/program',
    args: [],
    env: () => ({}),
    cwd: '/',
    log: new PassThrough().resume(),
    backoff: { first: 10, longest: 40, soon: 1 },
    readyTimeoutMs: 1000,
    onEvent: () => undefined,
  });
  t.after(() => part.stop(0));
  await assert.rejects(part.start(), /ENOENT/);
});

test('one that ignores SIGTERM is killed after the grace', async (t) => {
  const { part } = setup(t, `process.on('SIGTERM', () => {}); ${ready} setInterval(() => {}, 1e6);`);
  await part.start();
  const pid = part.pid ?? 0;
  await part.stop(50);
  assert.equal(alive(pid), false);
});

test('the standard input of a part ends with its supervisor, even when that is killed', async (t) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'reelvault-part-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = path.join(directory, 'ended');
  const child = `${ready} process.stdin.on('end', () => { require('fs').writeFileSync('${file}', 'ended'); process.exit(0); }).resume();`;
  const supervisor = `
    import { Part } from ${JSON.stringify(path.resolve(import.meta.dirname, '../../src/supervisor/part.ts'))};
    const part = new Part({ name: 'p', command: process.execPath, args: ['-e', ${JSON.stringify(child)}], env: () => ({}), cwd: '/', log: process.stderr,
      backoff: { first: 1, longest: 1, soon: 1 }, readyTimeoutMs: 30000, onEvent: () => {} });
    await part.start();
    console.log(JSON.stringify({ ready: true, child: part.pid }));`;
  const outer = new Part({
    name: 'supervisor',
    command: process.execPath,
    args: ['--input-type=module', '-e', supervisor],
    env: () => ({ PATH: '/usr/bin:/bin' }),
    cwd: '/',
    log: new PassThrough().resume(),
    backoff: { first: 10, longest: 40, soon: 1 },
    readyTimeoutMs: 30_000,
    onEvent: () => undefined,
  });
  t.after(() => outer.stop(0));
  const { child: pid } = await outer.start();
  await outer.stop(0);
  while (alive(Number(pid))) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await readFile(file, 'utf8'), 'ended');
});

test('what a part is given on standard input comes at every start, and the input stays open after it', async (t) => {
  const { part, until } = setup(
    t,
    `process.stdin.once('data', (bytes) => process.stdout.write(JSON.stringify({ ready: true, got: String(bytes) }) + '\\n'));
     process.stdin.on('end', () => process.exit(9)); setInterval(() => {}, 1e6);`,
    { input: Buffer.from('marked') },
  );
  assert.equal((await part.start()).got, 'marked');
  const former = part.pid ?? 0;
  const started = until((event) => event.event === 'started' && event.pid !== former);
  process.kill(former, 'SIGKILL');
  await started;
  assert.equal(alive(part.pid ?? 0), true);
});
