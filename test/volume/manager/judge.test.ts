/** What facts mean, where the real thing takes too long or cannot be made. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Conditions } from '../../../src/volume/manager/conditions.ts';
import { conditionsOf, containerProblem, type Expected } from '../../../src/volume/manager/judge.ts';
import type { VolumeFacts } from '../../../src/volume/watch/facts.ts';

const mib = 1024 * 1024;
const file = '/storage/containers/v.luks';
const facts = (changes: Partial<VolumeFacts> = {}): VolumeFacts => ({
  name: 'v',
  mount: { device: '7:1', own: true, deviceName: 'loop1', readOnly: null, errors: null },
  plane: { pid: 1, state: 'running', stalledMs: 0, abortedAfterMs: null, files: [file], status: null },
  attachedFile: file,
  attachedDevice: null,
  host: { file: { size: 1000 * mib, allocated: 1000 * mib }, free: 0, device: null },
  room: null,
  ...changes,
});
const of = (size: number | null): Expected => ({ container: file, uuid: null, size, isDevice: false });
const limits = { hostReserve: 100 * mib, volumeReserve: 100 * mib, recordingRate: () => 50 * mib };
const before = (kind: 'host-space' | 'volume-space') => ({ kind, message: '', nextStep: '', pausesRecording: true });
const kinds = (of: VolumeFacts, held: readonly ReturnType<typeof before>[] = []): string[] =>
  conditionsOf(of, held, limits).map(({ kind }) => kind);

test('space below a sparse container: what it lacks at most, and half as much again to go on', () => {
  const host = (lacks: number, free: number): VolumeFacts =>
    facts({ host: { file: { size: 1000 * mib, allocated: (1000 - lacks) * mib }, free: free * mib, device: null } });
  const cases: [number, number, boolean, boolean][] = [
    [500, 100, false, false],
    [500, 99, false, true],
    [500, 149, true, true],
    [500, 150, true, false],
    [10, 26, false, false],
    [10, 25, false, true],
    [0, 0, false, false],
  ];
  for (const [lacks, free, paused, wanted] of cases) {
    const held = paused ? [before('host-space')] : [];
    assert.equal(kinds(host(lacks, free), held).length === 1, wanted, JSON.stringify({ lacks, free, paused }));
  }
  assert.deepEqual(kinds(facts({ host: null })), []);
  assert.deepEqual(kinds(facts({ host: null }), [before('host-space')]), ['host-space'], 'a host that does not answer');
});

test('space in a volume: for four seconds of recording at least, of a small volume a 32nd, and half as much again to go on', () => {
  const cases: [capacity: number, free: number, files: number, paused: boolean, wanted: boolean][] = [
    [100_000, 200, 5000, false, false],
    [100_000, 199, 5000, false, true],
    [100_000, 299, 5000, true, true],
    [100_000, 300, 5000, true, false],
    [640, 20, 5000, false, false],
    [640, 19, 5000, false, true],
    [100_000, 9000, 1023, false, true],
    [100_000, 9000, 1024, false, false],
    [100_000, 9000, 1535, true, true],
  ];
  for (const [capacity, available, filesFree, paused, wanted] of cases) {
    const room = { capacity: capacity * mib, available: available * mib, files: 100_000, filesFree };
    const held = paused ? [before('volume-space')] : [];
    assert.deepEqual(kinds(facts({ room }), held), wanted ? ['volume-space'] : [], JSON.stringify(room));
  }
  const btrfs = { capacity: 100_000 * mib, available: 9000 * mib, files: 0, filesFree: 0 };
  assert.deepEqual(kinds(facts({ room: btrfs })), [], 'a filesystem without a number of files');
  assert.deepEqual(
    kinds(facts({ room: null }), [before('volume-space')]),
    ['volume-space'],
    'one that does not answer',
  );
  const readOnly = { device: '7:1', own: true, deviceName: 'loop1', readOnly: 'ro', errors: null };
  assert.deepEqual(kinds(facts({ mount: readOnly, room: { ...btrfs, available: 0 } })), [], 'nobody records into it');
});

test('a plane that does nothing is told after five seconds; errors that ext4 counted, at once', () => {
  const plane = (stalledMs: number): VolumeFacts =>
    facts({ plane: { pid: 1, state: 'running', stalledMs, abortedAfterMs: null, files: [file], status: null } });
  assert.deepEqual([kinds(plane(4999)), kinds(plane(5000))], [[], ['storage-stalled']]);
  const mount = { device: '7:1', own: true, deviceName: 'loop1', readOnly: null, errors: { count: 2, where: 'f' } };
  assert.deepEqual(kinds(facts({ mount })), ['filesystem-errors']);
});

test('what is not known of the container is no problem of it', () => {
  assert.equal(containerProblem(of(1000 * mib), facts()), undefined);
  assert.equal(containerProblem(of(1000 * mib), facts({ attachedFile: null })), undefined);
  assert.equal(containerProblem(of(null), facts({ host: null })), undefined);
  const gone = containerProblem(
    of(1),
    facts({ attachedFile: `${file} (deleted)`, host: { file: null, free: 0, device: null } }),
  );
  assert.match(gone?.message ?? '', /deleted.*do not lock it/);
});

test('a condition is told when it begins and when it ends, and keeps the time of its begin', () => {
  let now = Date.UTC(2026, 10, 21);
  const conditions = new Conditions(() => now);
  const one = { kind: 'host-space', message: '1 free', nextStep: 'free', pausesRecording: true } as const;
  assert.deepEqual(
    conditions.become([one]).map(({ active }) => active),
    [true],
  );
  now += 1000;
  assert.deepEqual(conditions.become([{ ...one, message: '2 free' }]), []);
  assert.deepEqual([conditions.list[0]?.since, conditions.list[0]?.message], ['2026-11-21T00:00:00.000Z', '2 free']);
  assert.deepEqual(
    conditions.become([]).map(({ active, condition }) => [active, condition.kind]),
    [[false, 'host-space']],
  );
});
