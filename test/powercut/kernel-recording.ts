/**
 * The same recording on the kernel engine: dm-crypt over the kernel's own log of writes (dm-log-writes), in the virtual machine of the
 * tests. What was recorded is tried on the host: a container is the same to both engines.
 */
import { copyFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { must } from '../luksblock/support.ts';
import { fetchKernel } from '../vm/kernel.ts';
import { Vm } from '../vm/vm.ts';
import { childProgram, linesOf, load, parts, prepare, type Recording } from './recording.ts';
import type { ChildParams } from './recording-child.ts';

const logged = 'logged';
const point = '/run/point';
/** Emulation is slow: real time, and slower. */
const speed = 0.5;
const logBytes = 2 ** 30;

/** Block device, mapping, check with the replay of the journal and mount, with the options of the service. */
const openInGuest = (modules: string, key: string): string => `set -e
  insmod '${modules}/kernel/drivers/md/dm-log-writes.ko'
  sectors=$(blockdev --getsz /dev/disk/container)
  dmsetup create ${logged} --table "0 $sectors log-writes /dev/disk/container /dev/disk/log"
  cryptsetup open --key-file '${key}' /dev/mapper/${logged} plain
  e2fsck -p /dev/mapper/plain
  mkdir ${point}
  mount -t ext4 -o nosuid,nodev,noexec,noatime,errors=remount-ro /dev/mapper/plain ${point}`;

const closeInGuest = `set -e
  umount ${point}; cryptsetup close plain; dmsetup remove ${logged}; sync`;

/** Records into a container of its own in `directory`, which is the caller's. The machine must be able to start (`missingForVm`). */
export const recordInKernel = async (directory: string): Promise<Recording> => {
  const { files, clips } = await prepare(directory);
  const uuid = await must('cryptsetup', ['luksUUID', files.recorded]);
  const log = path.join(directory, 'new-log');
  await must('truncate', ['-s', String(logBytes), log]);
  const { root, release } = await fetchKernel();
  const disks = { container: { file: files.recorded, mode: 'write' }, log: { file: log, mode: 'write' } } as const;
  const vm = await Vm.start({ disks, scratchMiB: 16 });
  try {
    await vm.check(openInGuest(path.join(root, 'lib/modules', release), files.key), { timeoutMs: 180_000 });
    const told = path.join(vm.exchange, 'told.jsonl');
    const record = async (params: ChildParams): Promise<void> => {
      const command = `'${process.execPath}' '${childProgram}' '${JSON.stringify(params)}'`;
      const { exitCode, stderr } = await vm.run(command, { timeoutMs: 300_000 });
      if (exitCode !== (params.killed ? 137 : 0))
        throw new Error(`the recorder ended with ${exitCode}: ${stderr.slice(-2000)}`);
    };
    const place = { point, uuid, registry: '/run/streams.json', log: { device: logged }, clips, speed };
    const { first, second } = parts({ ...place, told: '/exchange/told.jsonl' });
    await record(first);
    await record(second((await linesOf(told)).length));
    await vm.check(closeInGuest, { timeoutMs: 180_000 });
    await copyFile(told, files.told);
  } finally {
    await vm.close();
  }
  await rename(log, files.kernelLog);
  return load(directory);
};
