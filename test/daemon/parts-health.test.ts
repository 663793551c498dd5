import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recorderHealth } from '../../src/daemon/parts-health.ts';
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
  const condition = (kind: Condition['kind']): Condition => ({
    ...{ kind, since: '', message: `it is ${kind}`, nextStep: 'mend it', pausesRecording: true },
  });
  const volumes = [volume('a', 'open', condition('host-space'), condition('unusable')), volume('b', 'open')];
  const { details } = await recorderHealth(recorder([]), volumes);
  assert.deepEqual([details.notInUse, details.reasons], [['a', 'b'], { a: 'it is unusable: mend it' }]);
});

test('up: no volumes at all', async () => {
  assert.equal((await recorderHealth(recorder([]), [])).up, true);
});
