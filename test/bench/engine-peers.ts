/**
 * The three block devices of the engine bench, each as an ext4 on a direct-I/O loop device: luksblock's attached as the engine attaches it,
 * the others' as losetup does.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { completeAtOrigin } from '../../src/volume/engine/loop.ts';
import { fastPbkdf, keep, loop, mountAt, must, qemuImg, serve, until } from '../luksblock/support.ts';

export const sectorSize = 4096;

export interface Peer {
  readonly name: 'luksblock' | 'qemu' | 'loop';
  /** Mount point of its ext4. */
  readonly at: string;
}

const fileSystem = async (stack: AsyncDisposableStack, file: string, at: string): Promise<string> => {
  const device = await loop(stack, file, sectorSize);
  // No lazy initialisation in the background of a measurement.
  await must('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0,nodiscard', device]);
  await mountAt(stack, device, at);
  return device;
};

/** ext4 on the loop over a plain preallocated file: what the disk and one loop device can do. */
export const bareLoop = async (stack: AsyncDisposableStack, directory: string, bytes: number): Promise<Peer> => {
  const file = path.join(directory, 'plain.img');
  await must('fallocate', ['-l', String(bytes), file]);
  await fileSystem(stack, file, path.join(directory, 'loop'));
  return { name: 'loop', at: path.join(directory, 'loop') };
};

/** ext4 on the loop over luksblock over a LUKS2 container, AES-256-XTS. */
export const ours = async (stack: AsyncDisposableStack, directory: string, bytes: number) => {
  const container = path.join(directory, 'ours.luks');
  const key = path.join(directory, 'key');
  await must('fallocate', ['-l', String(bytes), container]);
  await must('cryptsetup', [
    ...['luksFormat', '-q', '--type', 'luks2', '--sector-size', String(sectorSize), ...fastPbkdf],
    ...[container, '--key-file', key],
  ]);
  const served = await serve(stack, container, key);
  await completeAtOrigin(await fileSystem(stack, served.plain, path.join(directory, 'luksblock')));
  const peer: Peer = { name: 'luksblock', at: path.join(directory, 'luksblock') };
  return { ...peer, served };
};

/** ext4 on the loop over qemu-storage-daemon's FUSE export of a LUKS1 container (it has no LUKS2), AES-256-XTS. */
export const qemu = async (stack: AsyncDisposableStack, directory: string, bytes: number): Promise<Peer> => {
  const container = path.join(directory, 'qemu.luks');
  const exported = path.join(directory, 'qemu.plain');
  const secret = `secret,id=key,file=${path.join(directory, 'key')}`;
  const create = ['create', '-q', '--object', secret, '-f', 'luks', '-o', 'key-secret=key,iter-time=10'];
  await qemuImg([...create, '-o', 'preallocation=falloc', container, String(bytes)]);
  await keep(exported, '');
  const daemon = spawn(
    'qemu-storage-daemon',
    [
      ...['--object', secret],
      ...['--blockdev', `driver=file,node-name=file,filename=${container},cache.direct=on,aio=${qemuAio}`],
      ...['--blockdev', 'driver=luks,node-name=plain,file=file,key-secret=key,cache.direct=on'],
      ...['--export', `type=fuse,id=export,node-name=plain,mountpoint=${exported},writable=on`],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const end = new Promise((resolve) => daemon.once('exit', resolve));
  stack.defer(async () => {
    daemon.kill('SIGTERM');
    await end;
  });
  await until('the FUSE export of qemu-storage-daemon', async () => {
    if (daemon.exitCode !== null) throw new Error(`qemu-storage-daemon ended with ${daemon.exitCode}`);
    return (await must('stat', ['-c', '%s', exported])) !== '0';
  });
  await fileSystem(stack, exported, path.join(directory, 'qemu'));
  return { name: 'qemu', at: path.join(directory, 'qemu') };
};

/** The fastest of qemu's three for this load: see docs/luksblock.md. */
export const qemuAio = 'native';
