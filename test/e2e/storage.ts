/** What the kernel holds of a test's folder, and how it is taken away when a test has failed half way. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { host } from '../command.ts';

/** Mount points beneath the folder, in the order of mounting. */
export const mountsBeneath = async (folder: string): Promise<string[]> =>
  (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((at) => at.startsWith(`${folder}/`));

/** Loop devices over files beneath the folder. */
export const loopsBeneath = async (folder: string): Promise<string[]> =>
  (await host('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE']))
    .split('\n')
    .filter((line) => line.includes(`${folder}/`))
    .map((line) => line.split(/\s+/)[0] ?? '');

/** Process ids of luksblock over containers beneath the folder, told by their command line. */
export const blockPlanesBeneath = async (folder: string): Promise<number[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const program = await readlink(`/proc/${pid}/exe`).catch(() => '');
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return program.endsWith('/luksblock') && line.includes(`${folder}/`);
    }),
  );
  return pids.filter((_, index) => found[index]);
};

export const leftIn = async (folder: string): Promise<string[]> => [
  ...(await mountsBeneath(folder)).map((at) => `mount ${at}`),
  ...(await loopsBeneath(folder)).map((device) => `loop ${device}`),
  ...(await blockPlanesBeneath(folder)).map((pid) => `luksblock ${pid}`),
];

/** Lazy and forced: for cleaning up only, never for what a test proves. */
export const removeStorage = async (folder: string): Promise<void> => {
  const ignore = (): undefined => undefined;
  for (const at of (await mountsBeneath(folder)).toReversed()) {
    if (!at.includes('/block/')) await host('umount', [at]).catch(() => host('umount', ['-l', at]).catch(ignore));
  }
  for (const device of await loopsBeneath(folder)) await host('losetup', ['--detach', device]).catch(ignore);
  for (const at of (await mountsBeneath(folder)).toReversed()) await host('umount', ['-l', at]).catch(ignore);
  for (const pid of await blockPlanesBeneath(folder)) process.kill(pid, 'SIGKILL');
  // Empty mount points are immutable.
  await host('chattr', ['-R', '-i', folder]).catch(ignore);
};
