/**
 * Sequential direct I/O of 1 MiB through ext4 on a loop device: luksblock against qemu-storage-daemon's LUKS export over FUSE
 * and against the loop device over a plain file. What is held equal is in docs/luksblock.md.
 */
import os from 'node:os';
import path from 'node:path';
import { keep, must, temporary } from '../luksblock/support.ts';
import { bareLoop, ours, type Peer, qemu, qemuAio, sectorSize } from './engine-peers.ts';
import type { Bench } from './main.ts';

const rounds = 5;
const seconds = 4;
const ioDepth = 8;
const fileBytes = 2 * 2 ** 30;
const deviceBytes = 2.5 * 2 ** 30;

type Direction = 'write' | 'read';
const directions: readonly Direction[] = ['write', 'read'];

/** MiB/s of one fio run over a file that exists in full length. */
const measure = async (peer: Peer, direction: Direction, args: readonly string[]): Promise<number> => {
  const report = JSON.parse(
    await must('fio', [
      ...['--name=engine', `--filename=${path.join(peer.at, 'file')}`, `--size=${fileBytes}`, '--bs=1m'],
      ...[
        `--rw=${direction}`,
        '--direct=1',
        '--ioengine=libaio',
        `--iodepth=${ioDepth}`,
        '--output-format=json',
        ...args,
      ],
    ]),
  ) as { jobs: Record<Direction, { bw_bytes: number }>[] };
  return Math.round((report.jobs[0]?.[direction].bw_bytes ?? 0) / 2 ** 20);
};

export const median = (figures: readonly number[]): number => {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
};

const ratio = (a: readonly number[], b: readonly number[]): number => Number((median(a) / median(b)).toFixed(2));

const machine = async (directory: string) => ({
  kernel: os.release(),
  cpu: os.cpus()[0]?.model ?? '',
  cpus: os.cpus().length,
  memoryMiB: Math.round(os.totalmem() / 2 ** 20),
  fileSystem: await must('findmnt', ['-n', '-o', 'FSTYPE', '--target', directory]),
  fio: await must('fio', ['--version']),
  qemu: (await must('qemu-storage-daemon', ['--version'])).split('\n')[0] ?? '',
});

export const bench: Bench = async (say) => {
  await using stack = new AsyncDisposableStack();
  const directory = await temporary(stack);
  await keep(path.join(directory, 'key'), 'a key for the bench');
  const mine = await ours(stack, directory, deviceBytes);
  const peers: Peer[] = [
    mine,
    await qemu(stack, directory, deviceBytes),
    await bareLoop(stack, directory, deviceBytes),
  ];

  const raw = {
    luksblock: { write: [] as number[], read: [] as number[] },
    qemu: { write: [] as number[], read: [] as number[] },
    loop: { write: [] as number[], read: [] as number[] },
  };
  // The first pass turns the preallocated extents into written ones; it is not measured.
  for (const peer of peers) await measure(peer, 'write', []);
  for (let round = 0; round < rounds; round += 1) {
    for (const direction of directions) {
      // Another first one each round, so that none always runs after the same neighbour.
      for (let turn = 0; turn < peers.length; turn += 1) {
        const peer = peers[(round + turn) % peers.length] as Peer;
        const figure = await measure(peer, direction, ['--time_based', `--runtime=${seconds}`]);
        raw[peer.name][direction].push(figure);
        say(`round ${round + 1} ${direction} ${peer.name}: ${figure} MiB/s`);
      }
    }
  }
  const status = await mine.served.status();
  return {
    ratio_qemu_write: ratio(raw.luksblock.write, raw.qemu.write),
    ratio_qemu_read: ratio(raw.luksblock.read, raw.qemu.read),
    ratio_loop_write: ratio(raw.luksblock.write, raw.loop.write),
    ratio_loop_read: ratio(raw.luksblock.read, raw.loop.read),
    raw,
    unit: 'MiB/s',
    settings: { rounds, seconds, ioDepth, blockBytes: 2 ** 20, fileBytes, sectorSize, qemuAio, engine: 'libaio' },
    machine: await machine(directory),
    luksblock: { threads: status.threads, directIo: status.directIo, errors: status.errors },
  };
};
