/** Processor time of processes as the kernel counts it. */
import { readFile } from 'node:fs/promises';

const ticksASecond = 100; // USER_HZ: the same on every Linux that Node runs on

/** The fields of /proc/PID/stat from the third on; undefined where the process is gone. */
const statOf = async (pid: number): Promise<string[] | undefined> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
};

const childrenOf = async (pid: number): Promise<number[]> => {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
};

/** The process and all that descend from it. */
export const treeOf = async (pid: number): Promise<number[]> => {
  const below = await Promise.all((await childrenOf(pid)).map(treeOf));
  return [pid, ...below.flat()];
};

/** User and system time of a process and all its threads, in seconds; 0 for one that is gone. */
export const cpuSecondsOf = async (pid: number): Promise<number> => {
  const fields = await statOf(pid);
  if (fields === undefined) return 0;
  const [user, system] = [fields[11], fields[12]];
  return (Number(user) + Number(system)) / ticksASecond;
};

export const cpuSecondsOfAll = async (pids: readonly number[]): Promise<number> =>
  (await Promise.all(pids.map(cpuSecondsOf))).reduce((sum, one) => sum + one, 0);
