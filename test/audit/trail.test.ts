/** The trail on disk: whole after crashes and full disks, and broken by whoever changes it. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { AuditFacts } from '../../src/audit/chain.ts';
import { AuditTrail } from '../../src/audit/trail.ts';
import { run } from '../../src/exec/run.ts';

const base = await mkdtemp(path.join(os.tmpdir(), 'reelvault-audit-'));
const full = path.join(base, 'full');
await mkdir(full);
await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', full], { timeoutMs: 10_000 });
after(async () => {
  await run('umount', [full], { timeoutMs: 10_000 });
  await rm(base, { recursive: true });
});

const facts = (n: number, text = ''): AuditFacts => ({
  ...{
    act: 'POST /x',
    phase: 'done',
    who: { kind: 'local' },
    what: { n, text },
    outcome: { status: 200 },
    requestId: null,
  },
});

const started = async (directory: string, limits: { maxBytes?: number; keep?: number } = {}): Promise<AuditTrail> => {
  await mkdir(directory, { recursive: true });
  const trail = new AuditTrail({ directory, now: () => Date.UTC(2026, 10, 21), ...limits });
  await trail.start();
  return trail;
};
const numbers = async (trail: AuditTrail): Promise<unknown[]> => (await trail.newest(1000)).map(({ what }) => what.n);

test('entries are private, in order, chained, and go on after a restart', async () => {
  const directory = path.join(base, 'one');
  const first = await started(directory);
  await Promise.all([1, 2, 3].map((n) => first.record(facts(n))));
  await first.close();
  await assert.rejects(first.record(facts(9)), { code: 'audit-unavailable' });
  const second = await started(directory);
  await second.record(facts(4));
  assert.equal((await stat(path.join(directory, 'audit.jsonl'))).mode & 0o777, 0o600);
  assert.deepEqual(await numbers(second), [1, 2, 3, 4]);
  const verdict = await second.verify();
  assert.deepEqual([verdict.whole, verdict.entries, verdict.from, verdict.last?.sequence], [true, 4, 1, 4]);
  await second.close();
});

test('every change shows: a byte, a line removed, a line put in, two swapped, the first one cut off', async () => {
  const directory = path.join(base, 'two');
  const trail = await started(directory);
  for (const n of [1, 2, 3, 4]) await trail.record(facts(n));
  const file = path.join(directory, 'audit.jsonl');
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const [one = '', two = '', three = '', four = ''] = lines;
  const changed: [string[], number][] = [
    [[one, two.replace('"n":2', '"n":7'), three, four], 2],
    [[one, three, four], 2],
    [[one, two, two, three, four], 3],
    [[one, three, two, four], 2],
    [[one, two, 'text', three, four], 3],
  ];
  for (const [text, line] of changed) {
    await writeFile(file, `${text.join('\n')}\n`);
    const { whole, problem } = await trail.verify();
    assert.deepEqual([whole, problem?.line], [false, line], text.join('\n').slice(0, 80));
  }
  await writeFile(file, `${lines.join('\n')}\n`);
  assert.ok((await trail.verify()).whole);
  await writeFile(file, `${[two, three, four].join('\n')}\n`);
  assert.equal((await trail.verify()).from, 2);
  await trail.close();
});

test('an entry cut by a crash is taken away; one that was tampered with stays, and shows', async () => {
  const directory = path.join(base, 'three');
  const file = path.join(directory, 'audit.jsonl');
  const trail = await started(directory);
  await trail.record(facts(1));
  await trail.close();
  await appendFile(file, '{"sequence":2,"ti');
  const second = await started(directory);
  await second.record(facts(2));
  assert.deepEqual([(await second.verify()).whole, await numbers(second)], [true, [1, 2]]);
  await second.close();
  await appendFile(file, 'what is this\n');
  const third = await started(directory);
  await third.record(facts(3));
  assert.deepEqual((await third.verify()).problem?.line, 3);
  await third.close();
});

test('full files are set aside, the oldest go, and the chain runs through them', async () => {
  const directory = path.join(base, 'four');
  let trail = await started(directory, { maxBytes: 1000, keep: 3 });
  for (let n = 1; n <= 30; n += 1) {
    await trail.record(facts(n));
    if (n % 7 === 0) {
      await trail.close();
      trail = await started(directory, { maxBytes: 1000, keep: 3 });
    }
  }
  const files = (await readdir(directory)).sort();
  assert.equal(files.length, 4);
  const { whole, from, last } = await trail.verify();
  assert.deepEqual([whole, last?.sequence], [true, 30]);
  assert.ok((from ?? 0) > 1);
  await unlink(path.join(directory, files[1] ?? ''));
  assert.equal((await trail.verify()).whole, false);
  await trail.close();
});

test('a full disk: what does not fit is refused whole, and with room it goes on', async () => {
  const trail = await started(full);
  let written = 0;
  await assert.rejects(
    async () => {
      for (; written < 100; written += 1) await trail.record(facts(written, 'x'.repeat(3000)));
    },
    { code: 'audit-unavailable' },
  );
  assert.ok(written > 5);
  assert.deepEqual([(await trail.verify()).whole, (await trail.verify()).entries], [true, written]);
  await run('mount', ['-o', 'remount,size=1m', full], { timeoutMs: 10_000 });
  await trail.record(facts(1000));
  assert.deepEqual([(await trail.verify()).whole, (await trail.verify()).entries], [true, written + 1]);
  await trail.close();
});
