import { ReelError, toReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';
import type { SlamAct, SlamReport } from '../../helper/protocol/slam.ts';
import type { Requests } from '../../helper/protocol.ts';
import { reached, type VolumeContext } from '../context.ts';
import { unmountCopies } from '../copies.ts';
import { flushFilesystem } from '../filesystem.ts';
import { findHolders } from '../holders.ts';
import { mountedLeases } from '../lease/mounted.ts';
import { lockVolume } from '../lock.ts';
import { type Look, lookAt } from '../look.ts';
import { readMounts } from '../mountinfo.ts';
import { tryUnmount } from '../try-unmount.ts';
import { endHolders, tellSpared } from './end-holders.ts';
import { sparedProcesses } from './spared.ts';
import { stalls } from './stalls.ts';

/** After SIGKILL, again after the abort of a block plane, and of a request: what does not end by then hangs in the kernel. */
const lastPatienceMs = 5_000;
const unmountTimeoutMs = 30_000;
const flushTimeoutMs = 20_000;

/**
 * The procedure "Slam" of docs/volumes.md: whatever it takes to have the volume locked. `caller` is the process that asked, which is spared.
 * Throws what `lock` throws, with `details.acts`, when something is left all the same.
 */
export const slamVolume = async (
  context: VolumeContext,
  { name, container, deadlineMs }: Requests['slam'],
  caller: number,
): Promise<SlamReport> => {
  const acts: SlamAct[] = [];
  try {
    const look = await lookAt(context, name, { container });
    if (look.container !== undefined && look.report.state !== 'locked') {
      await force(context, look, deadlineMs, await sparedProcesses(caller), (act) => acts.push(act));
    }
    return { ...(await lockVolume(context, name, container)), acts };
  } catch (thrown) {
    const error = toReelError(thrown);
    throw new ReelError(error.code, { ...error.parts, cause: thrown, details: { ...error.details, acts } });
  }
};

type Done = (act: SlamAct) => void;

const force = async (
  context: VolumeContext,
  look: Look,
  deadlineMs: number,
  spared: ReadonlySet<number>,
  done: Done,
): Promise<void> => {
  const devices = [...new Set(look.attachments.flatMap(({ numbers }) => numbers))];
  const end = (signal: 'SIGTERM' | 'SIGKILL', patienceMs: number): Promise<boolean> =>
    endHolders({ devices, spared, signal, patienceMs, done });
  // 1 ask, then end
  const gone = (await end('SIGTERM', deadlineMs)) || (await end('SIGKILL', lastPatienceMs));
  reached(context, 'slam-ended');
  // 2 a block plane that hangs: whoever waits for it waits in the kernel, where no signal reaches them
  if (await hangs(look, devices)) {
    await abort(context, look, done);
    if (!gone) await end('SIGKILL', lastPatienceMs);
  } else {
    // what this says is said again by the flush of the lock
    await flushFilesystem(look.paths.mountPoint, flushTimeoutMs).catch(() => {});
    // a request that came to hang only now
    if (await hangs(look, devices)) await abort(context, look, done);
  }
  reached(context, 'slam-aborted');
  await tellSpared(devices, spared, done);
  // 3 unmount, lazily where it must be
  await unmountAll(context, look, new Set(devices), done);
  reached(context, 'slam-unmounted');
};

/** A plane that answers for its status may keep a single request all the same, and with it the loop device. */
const hangs = async ({ attachments }: Look, devices: readonly string[]): Promise<boolean> =>
  attachments.some(({ device, engine, died }) => device === null && (engine === 'userspace' || died)) ||
  (attachments.some(({ engine }) => engine === 'userspace') && (await stalls(devices, lastPatienceMs)));

const abort = async (context: VolumeContext, { container }: Look, done: Done): Promise<void> => {
  if (container === undefined) return;
  for (const engine of Object.values(context.engines)) {
    for (const target of await engine.abort(container)) {
      done({ act: 'abort', target, pid: null, command: null, unit: null });
    }
  }
};

const unmountAll = async (
  context: VolumeContext,
  look: Look,
  devices: ReadonlySet<string>,
  done: Done,
): Promise<void> => {
  const { name, mountPoint } = look.paths;
  const mounts = await readMounts();
  const ours = [
    ...mounts.filter(({ point, device }) => point === mountPoint && devices.has(device)),
    ...mountedLeases(context.layout, name, mounts, devices).map(({ mount }) => mount),
  ];
  for (const { point, device } of ours.toReversed()) {
    const busy = (await findHolders(device, { point })).length > 0;
    const unmounted = !busy && (await tryUnmount([point], { timeoutMs: unmountTimeoutMs }));
    if (!unmounted) await run('umount', ['--lazy', point], { timeoutMs: unmountTimeoutMs });
    const act = unmounted ? 'unmount' : 'unmount-lazily';
    done({ act, target: point, pid: null, command: null, unit: null });
    await unmountCopies(device, point);
  }
};
