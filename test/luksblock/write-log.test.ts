/** The write log holds what the container got: entry for entry, by every way that luksblock writes, and nothing is logged unasked. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFile, open, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { luks2, MiB } from './containers.ts';
import { keep, loop, luksblock, must, serve, temporary } from './support.ts';
import { type LogEntry, readWriteLog } from './write-log.ts';

const root = path.resolve(import.meta.dirname, '../..');

const ground = async (t: TestContext): Promise<{ stack: AsyncDisposableStack; directory: string; key: string }> => {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const directory = await temporary(stack);
  const key = path.join(directory, 'key');
  await keep(key, randomBytes(32));
  return { stack, directory, key };
};

/** Every beginning has one end, behind it. */
const pairs = (entries: readonly LogEntry[]): Map<LogEntry, LogEntry> => {
  const found = new Map<LogEntry, LogEntry>();
  for (const entry of entries) {
    if (!entry.kind.endsWith('Ended')) continue;
    const begun = entries[entry.where] as LogEntry;
    assert.ok(begun.sequence < entry.sequence && `${begun.kind}Ended` === entry.kind && !found.has(begun));
    found.set(begun, entry);
  }
  assert.equal(found.size * 2, entries.length);
  return found;
};

test('entries of many threads are whole, in order, and a log that cannot be written fails the request', {
  timeout: 300_000,
}, async (t) => {
  const { directory } = await ground(t);
  const program = path.join(directory, 'write-log');
  const sources = ['write_log.cc', 'group_sync.cc'].map((source) => path.join(root, 'native/luksblock', source));
  await must('g++', [
    ...['-std=c++20', '-O1', '-g', '-fsanitize=thread', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror'],
    ...[`-I${root}/native`, path.join(import.meta.dirname, 'write-log.cc'), ...sources, '-o', program, '-lpthread'],
  ]);
  const file = path.join(directory, 'log');
  assert.equal(await must(program, [file]), '');
  const bytes = await readFile(file);
  const entries = await readWriteLog(file);
  assert.equal(entries.at(-1)?.end, bytes.length);
  const numbers = new Set<number>();
  let flushes = 0;
  for (const [begun, ended] of pairs(entries)) {
    if (begun.kind === 'flush') flushes += 1;
    if (begun.kind !== 'write') continue;
    const number = begun.where / 2 ** 32;
    numbers.add(number);
    assert.ok(bytes.subarray(begun.data, begun.end).equals(Buffer.alloc(number, number)), `write ${number}`);
    assert.equal(ended.error, number === 199 ? 5 : 0);
  }
  assert.equal(numbers.size, 200);
  assert.ok(flushes > 0 && flushes <= 20, `${flushes} flushes`);
});

test('the log, written over a copy of the container, gives the container', async (t) => {
  const { stack, directory, key } = await ground(t);
  const [container, copy, file] = ['container', 'copy', 'log'].map((name) => path.join(directory, name)) as [
    string,
    string,
    string,
  ];
  await luks2(container, key, 32 * MiB, ['--sector-size', '4096']);
  await copyFile(container, copy);
  const served = await serve(stack, container, key, ['--write-log', file]);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await served.status()).writeLog, true);
  const device = await loop(stack, served.plain, 4096);
  // Small and deep: io_uring. Large: threads. Parts of sectors: read, changed, written. Syncs in a rhythm: flushes ahead of time.
  const fio = (name: string, ...args: string[]) =>
    must('fio', [`--name=${name}`, `--filename=${device}`, '--direct=1', '--ioengine=libaio', '--size=4m', ...args]);
  await fio('small', '--rw=randwrite', '--bs=4k', '--iodepth=16');
  await fio('large', '--rw=write', '--bs=1m', '--iodepth=4', '--offset=4m');
  await fio('synced', '--rw=randwrite', '--bs=4k', '--fsync=1', '--offset=8m', '--number_ios=64');
  const handle = await open(served.plain, 'r+');
  await handle.write(randomBytes(10_001), 0, 10_001, 12 * MiB + 77);
  const beforeSync = (await readWriteLog(file)).length;
  await handle.sync();
  const flush = (await readWriteLog(file)).slice(beforeSync).map(({ kind }) => kind);
  assert.deepEqual(flush, ['flush', 'flushEnded'], 'a sync is answered when its flush is in the log');
  await handle.close();
  await must('losetup', ['-d', device]);
  await served.close();

  const entries = await readWriteLog(file);
  const ends = pairs(entries);
  assert.ok([...ends.values()].every(({ error }) => error === 0));
  const lengths = new Set(entries.filter(({ kind }) => kind === 'write').map(({ length }) => length));
  assert.ok(lengths.has(4096) && [...lengths].some((length) => length > 65_536), [...lengths].join());
  const log = await readFile(file);
  assert.notDeepEqual(await readFile(copy), await readFile(container));
  const target = await open(copy, 'r+');
  for (const { kind, where, data, length } of entries)
    if (kind === 'write') await target.write(log, data, length, where);
  await target.close();
  assert.ok((await readFile(copy)).equals(await readFile(container)));
});

test('without the option there is no log, and one that is there is never written over', async (t) => {
  const { stack, directory, key } = await ground(t);
  const container = path.join(directory, 'container');
  await luks2(container, key, 20 * MiB);
  await keep(path.join(directory, 'log'), 'somebody else’s');
  await must('mkdir', [path.join(directory, 'mount')]);
  const args = ['--container', container, '--mount', path.join(directory, 'mount')];
  const refused = await luksblock([...args, '--write-log', path.join(directory, 'log')], key);
  assert.equal(refused.code, 20);
  assert.match(refused.stderr, /EEXIST|exists/);
  assert.equal(await readFile(path.join(directory, 'log'), 'utf8'), 'somebody else’s');
  const served = await serve(stack, container, key);
  assert.equal((await served.status()).writeLog, false);
});
