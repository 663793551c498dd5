/** The short form of `npm run powercut`, and proofs that it finds what it looks for. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { must, serve } from '../luksblock/support.ts';
import type { LogEntry } from '../luksblock/write-log.ts';
import { WritesUnderWay } from './disk.ts';
import { readKernelLog } from './log-writes.ts';
import { choosePoints, placesOf, survivorsOf } from './points.ts';
import { cutPower, type Figures, isGood } from './powercut.ts';
import { type Preload, type Recording, record } from './recording.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-powercut-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const cut = async (recording: Recording, count: number): Promise<{ figures: Figures; said: string[] }> => {
  const said: string[] = [];
  const images = await mkdtemp(path.join(directory, 'images-'));
  const figures = await cutPower({ recording, count, seed: 1, directory: images, say: (line) => said.push(line) });
  await rm(images, { recursive: true });
  return { figures, said };
};

/** Makes the recorder's syncs say that they have succeeded, and do nothing. */
const lying = (): Preload => {
  const library = path.join(directory, 'no-sync.so');
  const source = path.resolve(import.meta.dirname, '../../fixtures/faults/no-sync.c');
  execFileSync('gcc', ['-shared', '-fPIC', '-O2', '-Wall', '-Wextra', '-Werror', source, '-o', library]);
  return { LD_PRELOAD: library };
};

let recorded: Promise<Recording> | undefined;
const honest = (): Promise<Recording> => {
  recorded ??= record(path.join(directory, 'honest'));
  return recorded;
};

test('after a power cut at any place everything told durable is served, nothing wrong, from a clean filesystem', async (t) => {
  const { figures, said } = await cut(await honest(), 24);
  t.diagnostic(JSON.stringify(figures));
  assert.ok(isGood(figures), said.join('\n'));
  assert.equal(figures.points, 24);
  const { torn, tornJournal, due, served } = figures;
  assert.ok(torn >= 2 && tornJournal >= 1 && due > 100 && served >= due, JSON.stringify(figures));
});

test('a recorder that tells segments durable before they are is found out', async (t) => {
  const { figures } = await cut(await record(path.join(directory, 'no-sync'), lying()), 10);
  t.diagnostic(JSON.stringify(figures));
  assert.ok(figures.acknowledged_lost > 0);
});

test('a disk that loses every second write outside the journal, although it has flushed it, is found out', async (t) => {
  const recording = await honest();
  let count = 0;
  const lost = ({ kind, where }: LogEntry): boolean => {
    if (kind !== 'write' || recording.journal.some(({ from, to }) => where >= from && where < to)) return false;
    count += 1;
    return count % 2 === 0;
  };
  const entries = recording.entries.map((one) => (lost(one) ? { ...one, length: 0 } : one));
  const { figures } = await cut({ ...recording, entries }, 4);
  t.diagnostic(JSON.stringify(figures));
  assert.ok(figures.acknowledged_lost + figures.fsck_failed > 0);
});

test('a filesystem that the check cannot mend by itself is found out', async (t) => {
  const { key, start, ...rest } = await honest();
  await using stack = new AsyncDisposableStack();
  const damaged = path.join(directory, 'damaged.luks');
  await must('cp', ['--sparse=always', start, damaged]);
  const served = await serve(stack, damaged, key);
  await must('debugfs', ['-w', '-R', 'clri <2>', served.plain]);
  await served.close();
  const { figures, said } = await cut({ ...rest, key, start: damaged, entries: [], told: [] }, 1);
  t.diagnostic(said.join());
  assert.equal(figures.fsck_failed, 1);
});

test('bytes that were never sent are found out', async (t) => {
  const recording = await honest();
  const clips = new Map([...recording.clips].map(([name, clip]) => [name, Buffer.from(clip)]));
  for (const clip of clips.values()) clip[1000] = (clip[1000] ?? 0) ^ 1;
  const { figures, said } = await cut({ ...recording, clips }, 3);
  t.diagnostic(JSON.stringify(figures));
  assert.ok(figures.wrong_bytes > 0 && figures.acknowledged_lost > 0, said.join('\n'));
  assert.equal(figures.fsck_failed, 0);
});

const entry = (sequence: number, kind: LogEntry['kind'], where: number, length = 0): LogEntry => ({
  ...{ sequence, kind, where, length, error: 0 },
  ...{ data: sequence * 10_000, end: (sequence + 1) * 10_000 },
});
/** Two writes end before a flush begins, one while it runs, one after it. */
const some: readonly LogEntry[] = [
  entry(0, 'write', 0, 4096),
  entry(1, 'write', 8192, 8192),
  entry(2, 'writeEnded', 1),
  entry(3, 'write', 16_384, 4096),
  entry(4, 'writeEnded', 0),
  entry(5, 'flush', 0),
  entry(6, 'writeEnded', 3),
  entry(7, 'write', 0, 4096),
  entry(8, 'flushEnded', 5),
  entry(9, 'writeEnded', 7),
];
const sequences = (entries: readonly LogEntry[]): number[] => entries.map(({ sequence }) => sequence);

test('a flush makes those writes last that had ended before it began', () => {
  const writes = new WritesUnderWay();
  const settled = some.map((one) => sequences(writes.take(one)));
  assert.deepEqual(settled, [[], [], [], [], [], [], [], [], [0, 1], []]);
  assert.deepEqual(sequences(writes.pending), [3, 7]);
  assert.throws(() => writes.take({ ...entry(10, 'writeEnded', 7), error: 5 }), /without errors/);
});

test('points lie at every end of a flush and where writes are under way, and are the same for the same seed', () => {
  const log = { entries: some, journal: [{ from: 8192, to: 16_384 }] };
  assert.deepEqual(placesOf(log.entries, log.journal), {
    boundaries: [9],
    underWay: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    journalUnderWay: [2, 3, 4, 5, 6, 7, 8],
  });
  const points = choosePoints(log, [9], 40, 3);
  assert.equal(points.length, 40);
  assert.deepEqual(points, choosePoints(log, [9], 40, 3));
  assert.notDeepEqual(points, choosePoints(log, [9], 40, 4));
  assert.deepEqual(
    [...points].sort((one, other) => one.cut - other.cut),
    points,
  );
  assert.ok(points.some(({ cut, choice }) => cut === 9 && choice === 'none'));
  const ofJournal = points.filter(({ choice }) => choice === 'journalTorn' || choice === 'journalFirst');
  assert.ok(ofJournal.length > 0 && ofJournal.every(({ cut }) => cut >= 2 && cut <= 8));
});

test('what survives is part of what was under way, in whole sectors, and the journal is torn where that is asked for', () => {
  const pending = [some[1], some[3]] as LogEntry[];
  const journal = [{ from: 8192, to: 16_384 }];
  for (const { choice, seed } of choosePoints({ entries: some, journal: [] }, [], 60, 5)) {
    const { pieces, torn, tornJournal } = survivorsOf({ cut: 6, choice, seed }, pending, journal);
    for (const { where, length, data } of pieces) {
      const from = pending.find((one) => where >= one.where && where + length <= one.where + one.length);
      assert.ok(from !== undefined && data - from.data === where - from.where && length % 512 === 0);
    }
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    assert.equal(torn, bytes > 0 && bytes < 12_288, choice);
    if (choice === 'none') assert.equal(bytes, 0);
    if (choice === 'all') assert.equal(bytes, 12_288);
    if (choice === 'journalFirst') assert.ok(!tornJournal && bytes >= 8192);
    if (choice === 'journalTorn') {
      assert.ok(tornJournal && pieces.some(({ where, length }) => where === 16_384 && length === 4096));
    }
  }
});

/** An entry of dm-log-writes: one sector of 512 bytes, then the bytes. */
const kernelEntry = (sector: number, sectors: number, flags: number, mark = ''): Buffer => {
  const bytes = Buffer.alloc(512 * (1 + sectors));
  for (const [at, value] of [sector, sectors, flags, mark.length].entries())
    bytes.writeBigUInt64LE(BigInt(value), at * 8);
  bytes.write(mark, 32);
  return bytes;
};

test("the kernel's log: a flush covers what stands before it, a write past the cache only itself", async () => {
  const head = Buffer.alloc(512);
  for (const [at, value] of [0x6a736677736872n, 1n, 7n, 512n].entries()) head.writeBigUInt64LE(value, at * 8);
  const flush = 1;
  const fua = 2;
  const entries = [
    ...[kernelEntry(8, 8, 0), kernelEntry(0, 0, flush), kernelEntry(16, 1, fua), kernelEntry(0, 0, 8, 'told-0')],
    ...[kernelEntry(32, 2, 0), kernelEntry(40, 1, flush), kernelEntry(48, 1, 0)],
  ];
  const file = path.join(directory, 'kernel-log');
  writeFileSync(file, Buffer.concat([head, ...entries]));
  const { entries: log, marks } = await readKernelLog(file);
  const writes = new WritesUnderWay();
  const settled = log.map((one) => writes.take(one).map(({ where, length }) => [where / 512, length / 512]));
  assert.deepEqual(
    settled.filter((each) => each.length > 0),
    [[[8, 8]], [[16, 1]], [[32, 2]]],
  );
  assert.deepEqual(
    writes.pending.map(({ where }) => where / 512),
    [40, 48],
  );
  assert.equal(marks.get('told-0'), 8);
  const first = log[0];
  assert.deepEqual([first?.where, first?.length, first?.data], [8 * 512, 8 * 512, 2 * 512]);
  writeFileSync(file, Buffer.concat([head, kernelEntry(8, 8, 4)]));
  await assert.rejects(readKernelLog(file), /no discards/);
});
