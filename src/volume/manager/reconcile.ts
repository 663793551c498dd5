import { closeSync } from 'node:fs';
import type { Logger } from 'pino';
import { toReelError } from '../../errors.ts';
import type { HelperClient } from '../../helper/client.ts';
import type { VolumeReport } from '../../helper/protocol/volume.ts';
import type { ManagedVolume } from './managed-volume.ts';
import { neverMade } from './new-volume.ts';
import { failureOf, problemOf } from './next-step.ts';

/** What the list of volumes does with what was found. */
export interface Reconciling {
  readonly helper: HelperClient;
  readonly log: Logger;
  /** After a change of `volume.record`. */
  save(): Promise<void>;
  /** Takes the volume off the list. */
  remove(volume: ManagedVolume): Promise<void>;
  /** Hands an open volume to the parts above. */
  opened(volume: ManagedVolume): Promise<void>;
}

/** Takes over what the helper finds. Never throws: what is wrong is the volume's state. */
export const reconcileVolume = async (volume: ManagedVolume, list: Reconciling): Promise<void> => {
  const { name, container, uuid } = volume.record;
  try {
    const request = { verb: 'inspect', name, container, descriptor: true } as const;
    const { result, fd } = await list.helper.call(request);
    if (uuid === null && (result.state === 'absent' || result.state === 'unfinished')) await forget(volume, list);
    else if (neverMade(volume.record, result.uuid)) await list.remove(volume);
    else await take(volume, list, result, fd);
  } catch (thrown) {
    const error = toReelError(thrown);
    if (neverMade(volume.record, null) && error.code !== 'helper-unavailable') await list.remove(volume);
    else volume.become('failed', { failure: failureOf(error) });
  }
};

/** Of a volume whose making failed: takes away what may be left, and the record. */
const forget = async (volume: ManagedVolume, { helper, remove }: Reconciling): Promise<void> => {
  const { name } = volume.record;
  await helper.call({ verb: 'lock', name });
  await remove(volume);
};

const take = async (volume: ManagedVolume, list: Reconciling, report: VolumeReport, fd: number): Promise<void> => {
  const { name, uuid } = volume.record;
  const problem = problemOf(volume.record, report);
  if (problem !== undefined) {
    if (fd >= 0) closeSync(fd);
    volume.become(report.state === 'absent' ? 'absent' : 'failed', { report, failure: failureOf(problem) });
    return;
  }
  if (uuid === null && report.uuid !== null) {
    const { newUuid: _, ...record } = volume.record;
    volume.record = { ...record, uuid: report.uuid, size: Math.max(record.size, report.size ?? 0) };
    await list.save();
  }
  if (report.state !== 'open') {
    volume.become(report.state === 'locked' ? 'locked' : 'absent', { report });
    return;
  }
  await volume.release();
  volume.become('open', { report, fd });
  list.log.info({ volume: name }, 'volume adopted');
  await list.opened(volume);
};
