/** How the parts of the daemon are, for GET /api/v1/health. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Retention } from '../archive/retention/retention.ts';
import { problemText } from '../config/file/problem.ts';
import type { ConfigStore } from '../config/store.ts';
import { toReelError } from '../errors.ts';
import type { Webhook } from '../events/webhook/webhook.ts';
import type { HelperClient } from '../helper/client.ts';
import type { PartHealth, PartsHealth } from '../http/health.ts';
import type { Recorder } from '../recorder/recorder.ts';
import type { VolumeView } from '../volume/manager/managed-volume.ts';
import type { VolumeManager } from '../volume/manager/manager.ts';

export interface HealthParams {
  readonly helper: HelperClient;
  readonly volumes: VolumeManager;
  readonly recorder: Recorder;
  readonly webhook: Webhook | undefined;
  readonly config: Pick<ConfigStore, 'file' | 'problems' | 'waiting' | 'trial'>;
  readonly retention: Pick<Retention, 'states' | 'problem'>;
  /** The launcher's report, where it started this process. */
  readonly confinement: Readonly<Record<string, unknown>> | undefined;
}

/** A helper that hangs in the kernel must not make the health check hang. */
const helperMs = 2000;

const helperHealth = async (helper: HelperClient): Promise<PartHealth> => {
  const asked = helper.call({ verb: 'probe' }).then(
    ({ result }) => ({ up: true, details: { ...result } }),
    (error: unknown) => ({ up: false, details: { problem: toReelError(error).message } }),
  );
  const late = sleep(helperMs, { up: false, details: { problem: `no answer within ${helperMs} ms` } }, { ref: false });
  return Promise.race([asked, late]);
};

/** Up while no volume has failed or is in trouble: one that is full is open, and nothing is recorded into it. The trouble is told with its state. */
export const volumesHealth = (views: readonly Pick<VolumeView, 'name' | 'state' | 'conditions'>[]): PartHealth => {
  const told = ({ state, conditions }: (typeof views)[number]): string =>
    conditions.length === 0
      ? state
      : `${state} (${conditions.map(({ message, nextStep }) => `${message}: ${nextStep}`).join('; ')})`;
  return {
    up: views.every(({ state, conditions }) => state !== 'failed' && conditions.length === 0),
    details: Object.fromEntries(views.map((view) => [view.name, told(view)])),
  };
};

/** Up while the rules of every open volume can be followed. Less room than they want is told, and mended by nobody here. */
export const retentionHealth = (retention: Pick<Retention, 'states' | 'problem'>): PartHealth => {
  const told = ({ volume, short }: (typeof retention.states)[number]): string => {
    const problem = retention.problem(volume);
    if (problem !== null) return `nothing is deleted: ${problem.code}: ${problem.message}`;
    return short > 0 ? `${short} bytes cannot be freed` : 'ok';
  };
  return {
    up: retention.states.every(({ problem }) => problem === null),
    details: Object.fromEntries(retention.states.map((state) => [state.volume, told(state)])),
  };
};

/** Up while every open volume is in use: one that the recorder could not take into use refuses every publisher, for the reason that is told. */
export const recorderHealth = async (
  recorder: Pick<Recorder, 'list' | 'attached' | 'backend'>,
  volumes: readonly Pick<VolumeView, 'name' | 'state' | 'conditions'>[],
): Promise<PartHealth> => {
  const recording = (await recorder.list()).filter((stream) => stream.recording).map((stream) => stream.name);
  const inUse = new Set(recorder.attached);
  const unused = volumes.filter(({ name, state }) => state === 'open' && !inUse.has(name));
  const notInUse = unused.map(({ name }) => name);
  const told = unused.flatMap(({ name, conditions }) =>
    conditions
      .filter(({ kind }) => kind === 'unusable')
      .map(({ message, nextStep }) => [name, `${message}: ${nextStep}`]),
  );
  const reasons = told.length === 0 ? {} : { reasons: Object.fromEntries(told) };
  const details = { backend: recorder.backend, recording };
  return notInUse.length === 0 ? { up: true, details } : { up: false, details: { ...details, notInUse, ...reasons } };
};

/** Up also with a file that is wrong: the service goes on with the one before, and a load balancer must not take it away. The details tell it. */
const configHealth = ({ file, problems, waiting, trial }: HealthParams['config']): PartHealth => ({
  up: true,
  details: {
    file,
    ...(problems.length === 0 ? {} : { wrong: problems.map(problemText) }),
    ...(waiting.length === 0 ? {} : { waitsForStart: waiting }),
    ...(trial === undefined ? {} : { onTrialUntil: new Date(trial.until).toISOString() }),
  },
});

export const partsHealth =
  ({ helper, volumes, recorder, webhook, config, retention, confinement }: HealthParams): PartsHealth =>
  async () => {
    return {
      helper: await helperHealth(helper),
      volumes: volumesHealth(volumes.list()),
      recorder: await recorderHealth(recorder, volumes.list()),
      retention: retentionHealth(retention),
      // Up also while a receiver is down: a load balancer must not take a recorder away because of that. The details tell it.
      ...(webhook === undefined ? {} : { webhook: { up: true, details: { endpoints: webhook.status() } } }),
      config: configHealth(config),
      confinement: {
        up:
          confinement !== undefined &&
          confinement.landlockMissing === null &&
          confinement.mountNamespaceMissing === null,
        details: confinement ?? { problem: 'not started by the launcher' },
      },
    };
  };
