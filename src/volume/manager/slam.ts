import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { ReelError, toReelError } from '../../errors.ts';
import type { SlamAct } from '../../helper/protocol/slam.ts';
import type { Listeners } from './listeners.ts';
import type { LockedVolume } from './managed-volume.ts';
import { failureOf } from './next-step.ts';
import type { Turn } from './turn.ts';

/** A volume that was locked by force, and what that took. */
export interface SlammedView extends LockedVolume {
  readonly acts: readonly SlamAct[];
}

export interface Slam {
  readonly turn: Turn;
  readonly listeners: Listeners;
  readonly deadlineMs: number;
  readonly log: Logger;
}

/**
 * Locks a volume whatever uses it. Our own recordings get the same time to end as other people's processes; what hangs is let go of and not
 * waited for. Throws what the helper throws, with the acts in `details.acts`; then the volume is what is found of it.
 */
export const slamVolume = async ({ turn, listeners, deadlineMs, log }: Slam): Promise<SlammedView> => {
  const { volume, helper } = turn;
  const { name, container } = volume.record;
  const recordings = volume.state === 'open' ? listeners.recordings(name) : [];
  turn.tell({ type: 'volume.slam', volume: name, deadlineMs, recordings });
  if (volume.state === 'open') {
    volume.become('draining');
    await letGo({ turn, listeners, deadlineMs, log });
  }
  volume.become('locking');
  await volume.release();
  try {
    const { result } = await helper.call({ verb: 'slam', name, container, deadlineMs });
    tellActs(turn, result.acts);
    volume.become('locked', { report: result });
    if (result.flushError !== null) log.error({ volume: name, flushError: result.flushError }, 'the last flush failed');
    return { ...volume.view(), recordings, acts: result.acts };
  } catch (thrown) {
    const error = toReelError(thrown);
    tellActs(turn, Array.isArray(error.details.acts) ? (error.details.acts as SlamAct[]) : []);
    turn.tell({ type: 'volume.slam.failed', volume: name, error: error.toJSON() });
    volume.become('failed', { failure: failureOf(error) });
    throw error;
  }
};

const tellActs = (turn: Turn, acts: readonly SlamAct[]): void => {
  for (const { act, ...facts } of acts) {
    turn.tell({ type: `volume.slam.${act}`, volume: turn.volume.record.name, ...facts });
  }
};

/** First as for a drain; who has not let go by then is told that the volume is lost. */
const letGo = async ({ turn, listeners, deadlineMs, log }: Slam): Promise<void> => {
  const { name } = turn.volume.record;
  const options = { drain: true, slam: true, deadlineMs };
  const complain = (error: unknown): void => {
    log.error(
      { volume: name, err: toReelError(error) },
      'a part could not let go of a volume that is slammed, ignoring',
    );
  };
  const drained = Promise.all(listeners.all.map(async (each) => each.beforeLock?.(name, options))).then(
    () => true,
    (error: unknown) => {
      complain(error);
      return false;
    },
  );
  if (await Promise.race([drained, sleep(deadlineMs, false, { ref: false })])) return;
  const lost = new ReelError('io-error', { expected: `${name} to be let go of in time`, got: 'a slam of the volume' });
  // Not waited for: what hangs in the kernel comes back only when the helper has cut the block plane off.
  for (const each of listeners.all) each.onLost?.(name, lost).catch(complain);
};
