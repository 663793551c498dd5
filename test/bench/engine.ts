/**
 * Direct I/O through ext4 on a loop device: luksblock against qemu-storage-daemon's LUKS export over FUSE and against the loop
 * device over a plain file. What is held equal is in docs/luksblock.md, the loads in engine-loads.ts.
 */
import os from 'node:os';
import path from 'node:path';
import { keep, must, temporary } from '../luksblock/support.ts';
import { ratio } from './bench-figures.ts';
import { described, type LoadName, loads, measure, prepare } from './engine-loads.ts';
import { bareLoop, ours, type Peer, qemu, qemuAio, sectorSize } from './engine-peers.ts';
import type { Bench } from './main.ts';

const rounds = 5;
const deviceBytes = 3.5 * 2 ** 30;
const names = Object.keys(loads) as LoadName[];

type Raw = Record<Peer['name'], Record<LoadName, number[]>>;
const none = (): Record<LoadName, number[]> =>
  Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<LoadName, number[]>;

/** luksblock's medians over those of `peer`. */
const ratios = (raw: Raw, peer: 'qemu' | 'loop'): Record<string, number> =>
  Object.fromEntries(names.map((name) => [`ratio_${peer}_${name}`, ratio(raw.luksblock[name], raw[peer][name])]));

const machine = async (directory: string) => ({
  kernel: os.release(),
  cpu: os.cpus()[0]?.model ?? '',
  cpus: os.cpus().length,
  memoryMiB: Math.round(os.totalmem() / 2 ** 20),
  loadAverage: os.loadavg().map((figure) => Number(figure.toFixed(1))),
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

  const raw: Raw = { luksblock: none(), qemu: none(), loop: none() };
  for (const peer of peers) await prepare(peer.at);
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) {
      // Another first one each round, so that none always runs after the same neighbour.
      for (let turn = 0; turn < peers.length; turn += 1) {
        const peer = peers[(round + turn) % peers.length] as Peer;
        const figure = await measure(peer.at, name);
        raw[peer.name][name].push(figure);
        say(`round ${round + 1} ${name} ${peer.name}: ${figure} ${loads[name].unit}`);
      }
    }
  }
  const status = await mine.served.status();
  return {
    ...ratios(raw, 'qemu'),
    ...ratios(raw, 'loop'),
    raw,
    loads: described,
    settings: { rounds, sectorSize, qemuAio, engine: 'libaio' },
    machine: await machine(directory),
    luksblock: { threads: status.threads, directIo: status.directIo, errors: status.errors },
  };
};
