import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SlamAct } from '../../helper/protocol/slam.ts';
import { pidfdOpen, pidfdSignal } from '../../native.ts';
import { findHolders, type Holder } from '../holders.ts';
import { isKernelThread } from './spared.ts';

const pauseMs = 50;

type Process = Holder & { readonly pid: number };

export interface EndHolders {
  /** `major:minor` of the block devices of the volume. */
  readonly devices: readonly string[];
  readonly spared: ReadonlySet<number>;
  readonly signal: 'SIGTERM' | 'SIGKILL';
  /** How long to wait for their end. */
  readonly patienceMs: number;
  readonly done: (act: SlamAct) => void;
}

const holdersOn = async (devices: readonly string[]): Promise<Map<number, Process>> => {
  const found = (await Promise.all(devices.map((device) => findHolders(device)))).flat();
  return new Map(
    found.toReversed().flatMap((holder) => (holder.pid === null ? [] : [[holder.pid, holder as Process]])),
  );
};

/**
 * Sends the signal once to every process that uses the devices, also to those that come while it waits. Answers whether nobody is left but
 * the spared. A process is held by a pidfd before it is looked at again: its number may have become another one's since the first look.
 */
export const endHolders = async ({ devices, spared, signal, patienceMs, done }: EndHolders): Promise<boolean> => {
  const deadline = performance.now() + patienceMs;
  const signalled = new Set<number>();
  for (;;) {
    const first = await holdersOn(devices);
    const left = [...first.keys()].filter((pid) => !spared.has(pid));
    if (left.length === 0) return true;
    const fresh = left.filter((pid) => !signalled.has(pid));
    if (fresh.length > 0) await signalAll(devices, fresh, signal, done);
    for (const pid of fresh) signalled.add(pid);
    if (performance.now() >= deadline) return false;
    await sleep(pauseMs);
  }
};

const signalAll = async (
  devices: readonly string[],
  pids: readonly number[],
  signal: EndHolders['signal'],
  done: EndHolders['done'],
): Promise<void> => {
  const held = new Map<number, number>();
  try {
    for (const pid of pids) {
      const fd = pidfdOpen(pid);
      if (fd >= 0) held.set(pid, fd);
    }
    const still = await holdersOn(devices);
    for (const [pid, fd] of held) {
      const holder = still.get(pid);
      if (holder === undefined || (await isKernelThread(pid)) || !pidfdSignal(fd, signal)) continue;
      const { command, unit, path } = holder;
      done({ act: signal === 'SIGTERM' ? 'term' : 'kill', target: path, pid, command, unit });
    }
  } finally {
    for (const fd of held.values()) closeSync(fd);
  }
};

/** Tells once of each process that uses the devices and is left alone. */
export const tellSpared = async (
  devices: readonly string[],
  spared: ReadonlySet<number>,
  done: EndHolders['done'],
): Promise<void> => {
  for (const [pid, { command, unit, path }] of await holdersOn(devices)) {
    if (spared.has(pid)) done({ act: 'spared', target: path, pid, command, unit });
  }
};
