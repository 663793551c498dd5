/** The container of the power-cut test: made once, opened as the service opens one, with every write logged. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { checkFilesystem, makeFilesystem, mountFilesystem } from '../../src/volume/filesystem.ts';
import { proveIdentity, writeIdentity } from '../../src/volume/identity.ts';
import { fastPbkdf, keep, loop, must, run, type Served, serve } from '../luksblock/support.ts';
import type { Extent } from './points.ts';

const MiB = 2 ** 20;
/** Sparse, and so large that a 64th of its free space is worth allocating ahead of a reel. */
const containerBytes = 1280 * MiB;
const blockBytes = 4096;

export interface Container {
  readonly file: string;
  readonly key: string;
}

export class FsckFailed extends Error {}

/** The block plane and a loop device over it, for as long as `stack` lives. */
const attach = async (
  stack: AsyncDisposableStack,
  { file, key }: Container,
  log?: string,
): Promise<{ served: Served; device: string }> => {
  const directory = `${file}.plane`;
  await mkdir(directory, { recursive: true });
  const served = await serve(stack, file, key, log === undefined ? [] : ['--write-log', log], undefined, directory);
  return { served, device: await loop(stack, served.plain, blockBytes) };
};

const mount = async (stack: AsyncDisposableStack, device: string, point: string): Promise<void> => {
  await mkdir(point, { recursive: true });
  await mountFilesystem('ext4', device, point, { readOnly: false }).catch(async (error: unknown) => {
    await run('umount', [point]); // one that was given up may have come to be all the same
    throw error;
  });
  stack.defer(async () => void (await must('umount', [point])));
};

/** A new container with an empty volume in it; the extents of the filesystem's journal in the container. */
export const makeContainer = async (container: Container): Promise<Extent[]> => {
  const { file, key } = container;
  await keep(key, randomBytes(32));
  await must('truncate', ['-s', String(containerBytes), file]);
  const format = ['luksFormat', '-q', '--type', 'luks2', ...fastPbkdf, '--sector-size', String(blockBytes)];
  await must('cryptsetup', [...format, file, '--key-file', key]);
  await using stack = new AsyncDisposableStack();
  const { served, device } = await attach(stack, container);
  await makeFilesystem('ext4', { device, size: served.ready.size, label: 'main' });
  const blocks = (await must('debugfs', ['-R', 'blocks <8>', device])).split(/\s+/).map(Number);
  const point = path.join(path.dirname(file), 'new');
  await mount(stack, device, point);
  await writeIdentity(point, { layout: 1, uuid: served.ready.uuid, name: 'main' }, { uid: 0, gid: 0 });
  return extentsOf(blocks, containerBytes - served.ready.size);
};

/** Neighbouring blocks of the filesystem, which begins at `offset` of the container. */
const extentsOf = (blocks: readonly number[], offset: number): Extent[] => {
  const extents: { from: number; to: number }[] = [];
  for (const block of blocks) {
    const from = offset + block * blockBytes;
    const last = extents.at(-1);
    if (last?.to === from) last.to += blockBytes;
    else extents.push({ from, to: from + blockBytes });
  }
  return extents;
};

/**
 * Opens the container as the service does: block plane, loop device, check with the replay of the journal, mount, identity. Then the whole
 * check must find nothing. Throws `FsckFailed` where one of the checks does.
 */
export const openContainer = async (
  stack: AsyncDisposableStack,
  container: Container,
  log: string,
): Promise<{ point: string; uuid: string }> => {
  const { served, device } = await attach(stack, container, log);
  try {
    await checkFilesystem(device, { readOnly: false });
  } catch (error) {
    throw new FsckFailed(String(error), { cause: error });
  }
  const whole = await run('e2fsck', ['-f', '-n', device]);
  if (whole.code !== 0) throw new FsckFailed(`e2fsck -f -n: ${whole.code}: ${whole.stdout.slice(-1000)}`);
  const point = `${container.file}.point`;
  await mount(stack, device, point);
  const { uuid } = served.ready;
  await proveIdentity(point, { layout: 1, uuid, name: 'main' });
  return { point, uuid };
};
