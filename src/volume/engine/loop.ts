import { constants } from 'node:fs';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';

export interface Loop {
  /** `/dev/loopN` */
  readonly path: string;
  /** `major:minor` */
  readonly device: string;
  /** As the kernel names it now: it follows a rename, and ends in ` (deleted)` after an unlink. */
  readonly backingFile: string;
  readonly directIo: boolean;
  readonly readOnly: boolean;
  readonly sectorSize: number;
}

const timeoutMs = 30_000;
/** A loop that is detached while something has it open goes away at the last close; udev and blkid open it for moments. */
const detachPatienceMs = 5_000;

const attribute = async (name: string, file: string): Promise<string> =>
  (await readFile(`/sys/block/${name}/${file}`, 'utf8')).trimEnd();

const readLoop = async (name: string): Promise<Loop | undefined> => {
  try {
    const [backingFile, dio, device, ro, sectorSize] = await Promise.all(
      ['loop/backing_file', 'loop/dio', 'dev', 'ro', 'queue/logical_block_size'].map((file) => attribute(name, file)),
    );
    if (backingFile === undefined || device === undefined) return undefined;
    const flags = { directIo: dio === '1', readOnly: ro === '1' };
    return { path: `/dev/${name}`, device, backingFile, ...flags, sectorSize: Number(sectorSize) };
  } catch {
    // no backing file: the loop is not attached, or was detached between two reads
    return undefined;
  }
};

/** Every attached loop device of the machine, from sysfs: no ioctl that a dead backing file could make fail or hang. */
export const attachedLoops = async (): Promise<Loop[]> => {
  const names = (await readdir('/sys/block')).filter((name) => /^loop\d+$/.test(name));
  return (await Promise.all(names.map(readLoop))).filter((loop) => loop !== undefined);
};

/** losetup opens the file in this way, and what it says of a failure is no more than "Invalid argument". */
const refusesDirectIo = async (file: string): Promise<boolean> => {
  try {
    await (await open(file, constants.O_RDONLY | constants.O_DIRECT)).close();
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EINVAL';
  }
};

/**
 * Attaches `file`, with direct I/O where its filesystem has it. The kernel drops the flag without a word where the sector size forbids
 * it, so the answer says what it really is. After a failure nothing is attached. `look` reads what was attached.
 */
export const attachLoop = async (
  file: string,
  { sectorSize, readOnly = false }: { readonly sectorSize: number; readonly readOnly?: boolean },
  look = readLoop,
): Promise<Loop> => {
  const access = readOnly ? ['--read-only'] : [];
  const args = ['--find', '--show', '--sector-size', String(sectorSize), ...access, file];
  const { stdout } = await run('losetup', ['--direct-io=on', ...args], { timeoutMs }).catch(async (error: unknown) => {
    if (!(await refusesDirectIo(file))) throw error;
    return run('losetup', args, { timeoutMs });
  });
  const name = stdout.toString().trim().replace('/dev/', '');
  const loop = await look(name);
  if (loop !== undefined) return loop;
  await detachLoop({ path: `/dev/${name}`, backingFile: file });
  throw new ReelError('io-error', {
    expected: `an attached ${name} for ${file}`,
    got: 'a loop device without a backing file',
  });
};

/**
 * Has requests completed on the processor that made them. What a process completes on its own processor waits for that one's ksoftirqd, a
 * turn of another thread for each request (block layer, `queue/rq_affinity`). Where sysfs cannot be written the device is only slower.
 */
export const completeAtOrigin = async (device: string): Promise<void> => {
  const file = `/sys/block/${device.replace('/dev/', '')}/queue/rq_affinity`;
  await writeFile(file, '2').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EROFS' && error.code !== 'EACCES' && error.code !== 'ENOENT') throw error;
  });
};

/** Has the kernel ask the backing file for its size again. Whoever uses the device goes on. */
export const refreshLoop = async (loop: Loop): Promise<void> => {
  await run('losetup', ['--set-capacity', loop.path], { timeoutMs });
};

/** Detaches and waits until the kernel has let go of the backing file. Throws `volume-busy` when something keeps it open. */
export const detachLoop = async (loop: Pick<Loop, 'path' | 'backingFile'>): Promise<void> => {
  await run('losetup', ['--detach', loop.path], { timeoutMs, okCodes: [0, 1] });
  const deadline = Date.now() + detachPatienceMs;
  const name = loop.path.replace('/dev/', '');
  while ((await readLoop(name))?.backingFile === loop.backingFile) {
    if (Date.now() > deadline) {
      throw new ReelError('volume-busy', {
        expected: `${loop.path} to be released`,
        got: 'a device that something still has open',
        hint: `see \`fuser -v ${loop.path}\` and the mount namespaces of containers`,
        details: { device: loop.path },
      });
    }
    await sleep(20);
  }
};
