import { toReelError } from '../../errors.ts';
import type { OpenedReport } from '../../helper/protocol/volume.ts';
import type { Requests } from '../../helper/protocol.ts';
import type { ManagedVolume } from './managed-volume.ts';
import { failureOf, isLasting } from './next-step.ts';

/** What a request to open says of the volume, as its record knows it. */
export const attachment = ({ record }: ManagedVolume): Omit<Requests['unlock'], 'verb'> => {
  const { name, container, engine, uuid, size, performance, discard } = record;
  return {
    ...{ name, container, engine },
    ...(uuid === null ? {} : { uuid, size }),
    ...(performance === undefined ? {} : { performance }),
    ...(discard === undefined ? {} : { discard }),
  };
};

/**
 * Takes a volume through `opening` by a call of the helper; what becomes of it is its state. With `shown` the reason of a failure is seen
 * at the volume, although that is locked as before: nobody waits for the answer. Throws what the helper throws.
 */
export const bringUp = async <R extends OpenedReport>(
  volume: ManagedVolume,
  call: () => Promise<{ readonly result: R; readonly fd: number }>,
  { shown = false }: { readonly shown?: boolean } = {},
): Promise<R> => {
  await volume.release();
  const before = volume.state === 'failed' ? volume.failure : undefined;
  volume.become('opening');
  try {
    const { result, fd } = await call();
    volume.become('open', { report: result, fd });
    return result;
  } catch (thrown) {
    const error = toReelError(thrown);
    // Nobody knows how far a helper came that does not answer: `locked` could be untrue. The watch looks when one is there again.
    if (isLasting(error) || error.code === 'helper-unavailable') volume.become('failed', { failure: failureOf(error) });
    else if (before !== undefined) volume.become('failed', { failure: before });
    else volume.become('locked', shown ? { failure: failureOf(error) } : {});
    throw error;
  }
};
