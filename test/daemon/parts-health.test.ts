import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recorderHealth, retentionHealth, volumesHealth } from '../../src/daemon/parts-health.ts';
import { ReelError } from '../../src/errors.ts';
import type { StreamView } from '../../src/recorder/types.ts';
import type { Condition } from '../../src/volume/manager/conditions.ts';
import type { VolumeState } from '../../src/volume/states.ts';

const stream = (name: string, recording: boolean): StreamView =>
  ({ name, recording }) as Partial<StreamView> as StreamView;

const recorder = (attached: readonly string[]) => ({
  attached: [...attached],
  backend: 'pwrite' as const,
  list: async () => [stream('cam1', true), stream('cam2', false)],
});

const volume = (name: string, state: VolumeState, ...conditions: Condition[]) => ({ name, state, conditions });

const condition = (kind: Condition['kind']): Condition => ({
  ...{ kind, since: '', message: `it is ${kind}`, nextStep: 'mend it', pausesRecording: true },
});

test('up: every open volume is in use, and volumes that are not open need not be', async () => {
  const volumes = [volume('a', 'open'), volume('b', 'locked'), volume('c', 'failed'), volume('d', 'draining')];
  assert.deepEqual(await recorderHealth(recorder(['a']), volumes), {
    up: true,
    details: { backend: 'pwrite', recording: ['cam1'] },
  });
});

test('not up: open volumes that the recorder does not use are named, and no others', async () => {
  const volumes = [volume('a', 'open'), volume('b', 'open'), volume('c', 'locked'), volume('d', 'open')];
  assert.deepEqual(await recorderHealth(recorder(['b', 'gone']), volumes), {
    up: false,
    details: { backend: 'pwrite', recording: ['cam1'], notInUse: ['a', 'd'] },
  });
});

test('why the recorder does not use a volume is told with it', async () => {
  const volumes = [volume('a', 'open', condition('host-space'), condition('unusable')), volume('b', 'open')];
  const { details } = await recorderHealth(recorder([]), volumes);
  assert.deepEqual([details.notInUse, details.reasons], [['a', 'b'], { a: 'it is unusable: mend it' }]);
});

test('up: no volumes at all', async () => {
  assert.equal((await recorderHealth(recorder([]), [])).up, true);
});

test('a volume that is open and in trouble is told with why, and one that failed', () => {
  assert.deepEqual(volumesHealth([volume('a', 'open'), volume('b', 'locked')]), {
    up: true,
    details: { a: 'open', b: 'locked' },
  });
  assert.deepEqual(volumesHealth([volume('a', 'open', condition('volume-space')), volume('b', 'open')]), {
    up: false,
    details: { a: 'open (it is volume-space: mend it)', b: 'open' },
  });
  assert.equal(volumesHealth([volume('a', 'failed')]).up, false);
});

test('a volume whose rules cannot be followed is told with why; one without enough room is told, too', () => {
  const problem = new ReelError('episodes-unavailable', { expected: 'a list', got: 'none' });
  const state = (name: string, short: number, code: string | null = null) => ({
    ...{ volume: name, purged: {}, held: [], short, wantedFreeBytes: 0, bytesPerSecond: 0, problem: code },
  });
  const states = [state('a', 0), state('b', 5), state('c', 0, problem.code)];
  const parts = { states, problem: (name: string) => (name === 'c' ? problem : null) };
  assert.deepEqual(retentionHealth(parts), {
    up: false,
    details: {
      a: 'ok',
      b: '5 bytes cannot be freed',
      c: `nothing is deleted: episodes-unavailable: ${problem.message}`,
    },
  });
  assert.equal(retentionHealth({ ...parts, states: states.slice(0, 2) }).up, true);
});
