/** Locking a volume: who outside the service uses it is found out first, then the parts above let go, then the helper closes it. */
import type { Logger } from 'pino';
import { ReelError, toReelError } from '../../errors.ts';
import { describeHolder, type Holder } from '../holders.ts';
import type { LockOptions } from './hooks.ts';
import type { Listeners } from './listeners.ts';
import type { LockedVolume } from './managed-volume.ts';
import { failureOf } from './next-step.ts';
import type { Turn } from './turn.ts';

export interface Lock {
  readonly turn: Turn;
  readonly listeners: Listeners;
  readonly options: LockOptions;
  readonly log: Logger;
  /** Hands the volume, which stays open, to the parts above again: some may have let go before another one refused. */
  keep(): Promise<void>;
}

/** Throws `volume-busy` with all that is in the way in its details; then the volume is open as before, and so is what used it. */
export const lockVolume = async (lock: Lock): Promise<LockedVolume> => {
  const { volume, helper } = lock.turn;
  const { name, container } = volume.record;
  const recordings = volume.state === 'open' ? await letGo(lock) : [];
  volume.become('locking');
  await volume.release();
  try {
    const { result } = await helper.call({ verb: 'lock', name, container });
    volume.become('locked', { report: result });
    const { flushError } = result;
    if (flushError !== null) lock.log.error({ volume: name, flushError }, 'the last flush of a volume failed');
  } catch (thrown) {
    const error = toReelError(thrown);
    // Busy means untouched: somebody came meanwhile, and the same volume goes on being used.
    if (error.code === 'volume-busy') await lock.turn.reconcile();
    else volume.become('failed', { failure: failureOf(error) });
    throw error;
  }
  return { ...volume.view(), recordings };
};

/** The answer is the streams whose recordings were ended. */
const letGo = async ({ turn, listeners, options, keep }: Lock): Promise<string[]> => {
  const { volume, helper } = turn;
  const { name } = volume.record;
  const { result } = await helper.call({ verb: 'holders', name, inTheWay: true });
  const others = result.holders.filter(({ service }) => !service);
  // Nothing is ended for a lock that somebody else prevents.
  if (options.drain && others.length > 0) throw busy(name, [heldBy(name, others)]);
  if (options.drain) volume.become('draining');
  const recordings = listeners.recordings(name);
  const refusals = await listeners.beforeLock(name, options);
  if (others.length > 0) refusals.push(heldBy(name, others));
  if (refusals.length === 0) return recordings;
  volume.become('open');
  await keep();
  throw busy(name, refusals);
};

const heldBy = (name: string, holders: readonly Holder[]): ReelError => {
  const first = holders.slice(0, 3).map((holder) => describeHolder(holder));
  return new ReelError('volume-busy', {
    expected: `nobody to use the volume ${name}`,
    got: `${holders.length === 1 ? 'one user' : `${holders.length} uses`}: ${first.join(', ')}`,
    hint: 'end them, or let them close their files; or lock with level slam, which ends them by force',
    details: { holders },
  });
};

/** All that refused, in one: whoever ends the first must not meet the next only then. */
const busy = (name: string, refusals: readonly ReelError[]): unknown => {
  const [first] = refusals;
  if (refusals.length === 1 || first?.code !== 'volume-busy') return first;
  return new ReelError('volume-busy', {
    expected: `nobody to use the volume ${name}`,
    got: refusals.map(({ parts }) => parts.got).join('; '),
    hint: [...new Set(refusals.map(({ parts }) => parts.hint))].join('; '),
    cause: first,
    details: Object.assign({}, ...refusals.map(({ details }) => details)),
  });
};
