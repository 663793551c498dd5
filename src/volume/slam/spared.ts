import { readFile } from 'node:fs/promises';

const parentOf = async (pid: number): Promise<number | undefined> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const parent = /^PPid:\s+(\d+)$/m.exec(status)?.[1];
  return parent === undefined ? undefined : Number(parent);
};

/** Flag PF_KTHREAD of `/proc/<pid>/stat`. */
const kernelThread = 0x0020_0000;

export const isKernelThread = async (pid: number): Promise<boolean> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // the name before the last parenthesis may hold anything
  const flags = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[6];
  return (Number(flags ?? 0) & kernelThread) !== 0;
};

/** Who is never ended: init, this helper, the daemon that asked (`caller`), and what started these two: the supervisor. */
export const sparedProcesses = async (caller: number): Promise<ReadonlySet<number>> => {
  const parents = await Promise.all([process.pid, caller].map(parentOf));
  return new Set([0, 1, process.pid, caller, ...parents.filter((pid) => pid !== undefined)]);
};
