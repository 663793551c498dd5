import { constants } from 'node:fs';
import { access, mkdir, open, readdir, readFile, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReelError, toReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';
import { signalIfThere } from '../../exec/signal.ts';
import { spawnDetached } from '../../exec/spawn-detached.ts';
import type { EngineProbe } from '../../helper/protocol/machine.ts';
import type { Luks } from '../../luks/luks.ts';
import { unmountCopies } from '../copies.ts';
import { findOpeners } from '../holders.ts';
import { blockDeviceOf, findPlane, isGone } from '../kernel-facts.ts';
import { type Mount, mountAt, readMounts } from '../mountinfo.ts';
import { tryUnmount } from '../try-unmount.ts';
import { withUndo } from '../undo.ts';
import { blockPlaneRefusal } from './block-plane-refusal.ts';
import { type Attachment, type AttachOptions, type ContainerFile, type Engine, sameUuid } from './engine.ts';
import { abortFuse } from './fuse-abort.ts';
import { growPlane } from './grow-plane.ts';
import { attachedLoops, attachLoop, completeAtOrigin, detachLoop, type Loop, refreshLoop } from './loop.ts';

interface Status {
  readonly pid: number;
  readonly uuid: string;
  readonly sectorSize: number;
  readonly refused?: { readonly grow?: string };
}

/** A key derivation may take as long as its maker wanted; longer than this is a machine that swaps. */
const attachTimeoutMs = 120_000;
/** A living block plane answers in microseconds. One that hangs must not take the helper with it. */
const statusTimeoutMs = 3_000;
const unmountTimeoutMs = 30_000;
const endPatienceMs = 10_000;

const foreign = 'a block plane of another container with the same UUID';

/** luksblock serves the decrypted data as a file on FUSE, and a loop device with direct I/O makes a block device of it. */
export class UserspaceEngine implements Engine {
  readonly name = 'userspace' as const;
  readonly #program: string;
  readonly #blocks: string;
  readonly #luks: Luks;

  constructor({ program, blocks, luks }: { program: string; blocks: string; luks: Luks }) {
    this.#luks = luks;
    this.#program = program;
    this.#blocks = blocks;
  }

  async probe(): Promise<EngineProbe> {
    const needs: readonly [string, number, string][] = [
      [this.#program, constants.X_OK, 'the program luksblock is not built'],
      ['/dev/fuse', constants.R_OK | constants.W_OK, 'the kernel offers no FUSE (/dev/fuse)'],
      ['/dev/loop-control', constants.R_OK | constants.W_OK, 'the kernel offers no loop devices (/dev/loop-control)'],
    ];
    for (const [file, mode, reason] of needs) {
      const usable = await access(file, mode).then(
        () => true,
        () => false,
      );
      if (!usable) return { usable: false, reason };
    }
    return { usable: true };
  }

  async find(container: ContainerFile): Promise<Attachment | undefined> {
    const mounted = mountAt(await readMounts(), this.#directory(container)) !== undefined;
    const loops = await this.#loops(container);
    if (!mounted && loops.length === 0) return undefined;
    const status = mounted ? await this.#status(container) : undefined;
    const pieces = {
      ...{ engine: this.name, device: null, number: null, directIo: null, readOnly: null },
      ...{ blockPid: status?.pid ?? null, died: status === undefined },
      ...{ devices: loops.map((loop) => loop.path), numbers: loops.map((loop) => loop.device) },
    } as const;
    if (status === undefined) return { ...pieces, problem: 'its block plane (luksblock) does not answer' };
    if (!(await serves(status.pid, container))) {
      return { ...pieces, devices: [], numbers: [], problem: foreign };
    }
    const [loop, another] = loops;
    if (isDead(status.pid, container)) return { ...pieces, problem: 'its device was taken away' };
    if (loop === undefined) return { ...pieces, problem: 'no loop device is attached to its block plane' };
    if (another !== undefined)
      return { ...pieces, problem: 'more than one loop device is attached to its block plane' };
    const { path: device, device: number, directIo, readOnly } = loop;
    return { ...pieces, device, number, directIo, readOnly, problem: null };
  }

  attach(container: ContainerFile, key: Buffer, options: AttachOptions): Promise<Attachment> {
    return withUndo(async (undo) => {
      const directory = this.#directory(container);
      // A helper that was killed may have started a block plane that came up only afterwards.
      await this.detach(container);
      await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      // Everything from here on is found again by `detach`, whatever of it happened.
      undo.push('userspace engine', () => this.detach(container));
      await this.#start(container, directory, key, options);
      const loop = await attachLoop(path.join(directory, 'plain'), options);
      // Buffered pages of a FUSE file that its own server has to write out are a deadlock under memory pressure.
      if (!loop.directIo) {
        throw new ReelError('engine-unavailable', {
          expected: `direct I/O from ${loop.path} to luksblock`,
          got: 'a loop device that fell back to buffered I/O',
        });
      }
      await completeAtOrigin(loop.path);
      const attachment = await this.find(container);
      if (attachment === undefined || attachment.problem !== null) {
        throw new ReelError('block-plane-died', {
          expected: 'a block plane that serves the container',
          got: attachment?.problem ?? 'none right after its start',
        });
      }
      return attachment;
    });
  }

  async grow(container: ContainerFile, told: (layer: string) => void): Promise<void> {
    const directory = this.#directory(container);
    try {
      await growPlane(directory);
    } catch (cause) {
      throw await this.#explainGrow(container, cause);
    }
    told('plane');
    for (const loop of await this.#loops(container)) await refreshLoop(loop);
    told('loop');
  }

  async detach(container: ContainerFile): Promise<void> {
    const directory = this.#directory(container);
    if ((await this.find(container))?.problem === foreign) throw sameUuid(container);
    // The loop first: with the file gone below it, its last flush would be an error.
    for (const loop of await this.#loops(container)) await detachLoop(loop);
    await unmountAll(directory);
    await ended(container, directory);
    await rmdir(directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  async abort(container: ContainerFile): Promise<string[]> {
    const directory = this.#directory(container);
    if ((await this.find(container))?.problem === foreign) throw sameUuid(container);
    const connection = await abortFuse(directory);
    // The connection of a server that has ended is cut, too; one that was stopped by a signal hears SIGKILL only.
    const planes = await blockPlanes(container, directory);
    for (const pid of planes) signalIfThere(pid, 'SIGKILL');
    return [...(connection === undefined ? [] : [connection]), ...planes.map((pid) => `luksblock (pid ${pid})`)];
  }

  async #start(
    container: ContainerFile,
    directory: string,
    key: Buffer,
    { readOnly = false, finalPath: shown = container.path }: AttachOptions,
  ): Promise<void> {
    const access = readOnly ? ['--read-only'] : [];
    const handle = shown === container.path ? undefined : await open(container.path, readOnly ? 'r' : 'r+');
    const place = handle === undefined ? [] : ['--container-fd', '4'];
    const args = ['--container', shown, ...place, '--mount', directory, '--key-fd', '3', ...access];
    try {
      const options = { timeoutMs: attachTimeoutMs, extra: [key, ...(handle === undefined ? [] : [handle.fd])] };
      await this.#luks.exclusive(() => spawnDetached(this.#program, args, options));
    } catch (error) {
      throw blockPlaneRefusal(error, container.path);
    } finally {
      await handle?.close();
    }
  }

  async #explainGrow(container: ContainerFile, cause: unknown): Promise<unknown> {
    const status = await this.#status(container);
    // It answers and refused nothing: whoever told it failed, and may tell it again.
    if (status !== undefined && status.refused?.grow === undefined) return cause;
    return new ReelError('volume-state', {
      expected: 'a block plane that takes the new size',
      got: status?.refused?.grow ?? toReelError(cause).parts.got,
      hint: 'lock the volume and open it again: it has the new size then',
      cause,
    });
  }

  /** One FUSE directory a container: by UUID, since that is what the container says of itself in every place it is copied to. */
  #directory(container: ContainerFile): string {
    return path.join(this.#blocks, container.uuid);
  }

  async #loops(container: ContainerFile): Promise<Loop[]> {
    const plain = path.join(this.#directory(container), 'plain');
    return (await attachedLoops()).filter((loop) => loop.backingFile.replace(/ \(deleted\)$/, '') === plain);
  }

  /** Through a process of its own: a read from a FUSE that hangs would block one of this process's few I/O threads for ever. */
  async #status(container: ContainerFile): Promise<Status | undefined> {
    try {
      const file = path.join(this.#directory(container), 'status');
      const { stdout } = await run('cat', [file], { timeoutMs: statusTimeoutMs });
      return JSON.parse(stdout.toString()) as Status;
    } catch {
      // no answer is the answer: whoever asks calls it dead
      return undefined;
    }
  }
}

const isDead = (pid: number, { block }: ContainerFile): boolean => block !== null && blockDeviceOf(pid) !== block;

/** Block planes of the container that are there at all: one that has closed it may still hold its key. */
const allPlanes = async (container: ContainerFile, directory: string): Promise<ReadonlySet<number>> => {
  const pids = new Set(await blockPlanes(container, directory));
  const plane = findPlane(directory);
  return plane === undefined ? pids : pids.add(plane);
};

/** Waits until no block plane of ours is there, then insists. */
const ended = async (container: ContainerFile, directory: string): Promise<void> => {
  for (const signal of ['SIGTERM', 'SIGKILL', undefined] as const) {
    const deadline = Date.now() + endPatienceMs;
    let pids = await allPlanes(container, directory);
    while (pids.size > 0 && Date.now() < deadline) {
      await sleep(20);
      // one that was still starting mounts late
      await unmountAll(directory);
      pids = await allPlanes(container, directory);
    }
    if (pids.size === 0) return;
    if (signal === undefined) break;
    for (const pid of pids) signalIfThere(pid, signal);
  }
  throw new ReelError('io-error', {
    expected: 'the block plane to end',
    got: 'a process that survives SIGKILL',
    hint: 'it hangs inside the kernel: look at the storage below the container',
  });
};

/** Processes that have the container open and were started by us: their command line names our directory. */
const blockPlanes = async (container: ContainerFile, directory: string): Promise<number[]> => {
  if (container.block === 'gone') return [findPlane(directory)].filter((pid) => pid !== undefined);
  const openers = await findOpeners(container.path);
  const ours = await Promise.all(
    openers.map(async (pid) =>
      readFile(`/proc/${pid}/cmdline`, 'utf8').then(
        (line) => line.split('\0').includes(directory),
        () => false,
      ),
    ),
  );
  return openers.filter((_, index) => ours[index]);
};

/** Two containers can carry one UUID (a copy). The process must have this very file open, or this device, or one that was taken away. */
const serves = async (pid: number, container: ContainerFile): Promise<boolean> => {
  if (container.block !== null) {
    const number = blockDeviceOf(pid);
    return container.block === 'gone' || container.block === number || (number !== undefined && isGone(number));
  }
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const fd of fds) {
    const found = await stat(`/proc/${pid}/fd/${fd}`).catch(() => undefined);
    if (found?.dev === container.dev && found.ino === container.ino) return true;
  }
  return false;
};

const unmountAll = async (directory: string): Promise<void> => {
  const top = async (): Promise<Mount | undefined> => mountAt(await readMounts(), directory);
  for (let mount = await top(); mount !== undefined; mount = await top()) {
    if (!(await tryUnmount([directory], { timeoutMs: unmountTimeoutMs })))
      await run('fusermount3', ['-uz', directory], { timeoutMs: unmountTimeoutMs });
    await unmountCopies(mount.device, directory);
  }
};
