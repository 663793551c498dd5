import { ReelError } from '../errors.ts';
import type { LockReport } from '../helper/protocol/volume.ts';
import type { VolumeContext } from './context.ts';
import { findNamespaces } from './holders.ts';
import { leaseMount, mountedLeases } from './lease/mounted.ts';
import { type Look, lookAt } from './look.ts';
import { readMounts } from './mountinfo.ts';
import { tearDown } from './teardown.ts';
import { finishRename, removeUnfinished } from './unfinished.ts';

/** The procedure "Lock" of docs/volumes.md. Idempotent; also the way to clean up what a dead block plane, a
 * helper that was killed or an interrupted create left. */
export const lockVolume = async (context: VolumeContext, name: string, container?: string): Promise<LockReport> => {
  await finishRename(context.layout.paths(name, container));
  const look = await lookAt(context, name, { container });
  if (look.report.state === 'unfinished') {
    await removeUnfinished(context, look.paths);
    return { ...(await lookAt(context, name, { container })).report, flushError: null };
  }
  if (look.container === undefined) {
    if (look.report.problem === null) return { ...look.report, flushError: null };
    throw new ReelError(look.report.problem.code, look.report.problem);
  }
  if (look.report.state === 'open') await refuseLeased(context, look);
  const numbers = look.attachments.flatMap((attachment) => attachment.numbers);
  const flushError = await tearDown(context, look.container, look.paths.mountPoint).catch(async (error: unknown) => {
    throw await withNamespaces(error, numbers);
  });
  const after = await lookAt(context, name, { container });
  // one whose container was taken away meanwhile is locked, too
  if (after.report.state === 'locked' || after.report.state === 'absent') return { ...after.report, flushError };
  throw new ReelError('volume-state', {
    expected: `nothing of ${name} left attached or mounted`,
    got: after.report.problem?.got ?? after.report.state,
    hint: 'see "What is left" in docs/volumes.md',
  });
};

/** Of a whole volume only: where it is in pieces, a lease serves nobody any more. Throws `volume-busy` with `details.leases`. */
const refuseLeased = async (context: VolumeContext, look: Look): Promise<void> => {
  const { name } = look.paths;
  const devices = new Set(look.attachments.flatMap((attachment) => attachment.numbers));
  const leases = mountedLeases(context.layout, name, await readMounts(), devices).map(leaseMount);
  if (leases.length === 0) return;
  throw new ReelError('volume-busy', {
    expected: `no lease of the volume ${name}`,
    got: leases.map(({ consumer }) => consumer).join(', '),
    hint: 'lock it with drain, which gives the consumers notice and takes their mounts away, or remove the leases',
    details: { leases },
  });
};

/** A device that stays busy after its unmount is still mounted in some other mount namespace: say in whose. */
const withNamespaces = async (thrown: unknown, numbers: readonly string[]): Promise<unknown> => {
  if (!(thrown instanceof ReelError) || thrown.code !== 'volume-busy' || 'holders' in thrown.details) return thrown;
  const holders = (await Promise.all(numbers.map(findNamespaces))).flat();
  if (holders.length === 0) return thrown;
  return new ReelError('volume-busy', {
    expected: 'no other mount namespace to have the volume mounted',
    got: `that of ${holders[0]?.command ?? ''} (pid ${holders[0]?.pid ?? ''})`,
    hint: 'unmount it there, or end that container',
    cause: thrown,
    details: { ...thrown.details, holders },
  });
};
