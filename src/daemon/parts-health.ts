/** How the parts of the daemon are, for GET /api/v1/health. */
import { setTimeout as sleep } from 'node:timers/promises';
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

const volumesHealth = (volumes: VolumeManager): PartHealth => {
  const views = volumes.list();
  const states = Object.fromEntries(views.map((view) => [view.name, view.state]));
  return { up: views.every((view) => view.state !== 'failed'), details: states };
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
  ({ helper, volumes, recorder, webhook, config, confinement }: HealthParams): PartsHealth =>
  async () => {
    return {
      helper: await helperHealth(helper),
      volumes: volumesHealth(volumes),
      recorder: await recorderHealth(recorder, volumes.list()),
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
