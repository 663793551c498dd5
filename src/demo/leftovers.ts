/** Looks into the kernel's own tables for what a demo should have taken away: it is not enough that every step said it worked. */
import { readdir, readFile } from 'node:fs/promises';
import { attachedLoops } from '../volume/engine/loop.ts';
import { readMounts } from '../volume/mountinfo.ts';

const within = (file: string, directories: readonly string[]): boolean =>
  directories.some((directory) => file === directory || file.startsWith(`${directory}/`));

/** Processes whose command line names something beneath the directories, this one apart. */
const processes = async (directories: readonly string[]): Promise<string[]> => {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    // A process that has just ended has no command line any more.
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    const [program = ''] = words;
    if (!/(luksblock|launcher|node)$/.test(program)) continue;
    if (words.slice(1).some((word) => word.startsWith('/') && within(word, directories)))
      found.push(`process ${pid}: ${program}`);
  }
  return found;
};

/** Dm-crypt mappings of the project, by the names the engine gives them. */
const mappings = async (uuids: readonly string[]): Promise<string[]> => {
  const names = await readdir('/sys/block');
  const found = await Promise.all(
    names
      .filter((name) => name.startsWith('dm-'))
      .map((name) => readFile(`/sys/block/${name}/dm/uuid`, 'utf8').catch(() => '')),
  );
  const plain = uuids.map((uuid) => uuid.replaceAll('-', ''));
  return found.filter((text) => plain.some((uuid) => text.includes(uuid))).map((text) => `mapping ${text.trim()}`);
};

/** Mounts, loop devices, mappings and processes that still use something beneath `directories`, in words; empty when all is gone. */
export const findLeftovers = async (directories: readonly string[], uuids: readonly string[]): Promise<string[]> => {
  const mounts = (await readMounts()).filter((mount) => within(mount.point, directories));
  const loops = (await attachedLoops()).filter((loop) => within(loop.backingFile, directories));
  return [
    ...mounts.map((mount) => `mount ${mount.point} (${mount.type})`),
    ...loops.map((loop) => `${loop.path} on ${loop.backingFile}`),
    ...(await mappings(uuids)),
    ...(await processes(directories)),
  ];
};
