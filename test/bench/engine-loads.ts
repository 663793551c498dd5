/**
 * The fio loads of the engine bench. None is tuned to an engine: docs/decisions/003 says what each stands for and why the
 * headline ones have these parameters.
 */
import { must } from '../luksblock/support.ts';

/** Jobs of the loads with several: as many recorders or viewers, each with a file of its own. */
export const jobs = 4;
/** One large file, and one of each job. All are written in full once before anything is measured. */
export const largeBytes = 2 * 2 ** 30;
export const smallBytes = 2 ** 28;

const files = (job: string, count: number, bytes: number): readonly string[] => [
  ...[`--name=${job}`, `--filename_format=${job}.$jobnum`, `--numjobs=${count}`, `--size=${bytes}`],
];
const large = files('large', 1, largeBytes);
const one = files('small', 1, smallBytes);
const several = files('small', jobs, smallBytes);

interface Load {
  readonly args: readonly string[];
  readonly unit: 'MiB/s' | 'requests/s';
  readonly seconds: number;
}

const sequential = (rw: string): Load => ({
  args: [...large, `--rw=${rw}`, '--bs=1m', '--iodepth=8'],
  unit: 'MiB/s',
  seconds: 4,
});
const small = (rw: string, where: readonly string[], depth: number): Load => ({
  args: [...where, `--rw=${rw}`, '--bs=4k', `--iodepth=${depth}`, ...(rw === 'randwrite' ? ['--fdatasync=1'] : [])],
  unit: 'requests/s',
  seconds: 3,
});
const mixed = (where: readonly string[], depth: number): Load => ({
  args: [...where, '--rw=randrw', '--rwmixread=50', '--bs=64k', `--iodepth=${depth}`],
  unit: 'MiB/s',
  seconds: 3,
});

/** `NAME` is the load of the ratio of that name; `NAME_lone` is the same with one job and one request at a time. */
export const loads = {
  write: sequential('write'),
  read: sequential('read'),
  randwrite: small('randwrite', several, 1),
  randwrite_lone: small('randwrite', one, 1),
  randread: small('randread', several, 4),
  randread_lone: small('randread', one, 1),
  mixed: mixed(several, 4),
  mixed_lone: mixed(one, 1),
} as const satisfies Record<string, Load>;
export type LoadName = keyof typeof loads;

interface Side {
  readonly bw_bytes: number;
  readonly iops: number;
}

const fio = async (directory: string, args: readonly string[]): Promise<{ read: Side; write: Side }> => {
  const shared = ['--direct=1', '--ioengine=libaio', '--group_reporting', '--output-format=json'];
  const report = JSON.parse(await must('fio', [`--directory=${directory}`, ...shared, ...args])) as {
    jobs: { read: Side; write: Side }[];
  };
  const [all] = report.jobs;
  if (all === undefined) throw new Error('fio reported no job');
  return all;
};

/** Writes every block of the files that the loads use, in order: what is measured later overwrites, and changes no metadata. */
export const prepare = async (directory: string): Promise<void> => {
  for (const where of [large, several]) await fio(directory, [...where, '--rw=write', '--bs=1m', '--iodepth=8']);
};

/** One run: reads and writes together, in the unit of the load. */
export const measure = async (directory: string, name: LoadName): Promise<number> => {
  const { args, unit, seconds } = loads[name];
  const { read, write } = await fio(directory, [...args, '--time_based', `--runtime=${seconds}`]);
  return Math.round(unit === 'MiB/s' ? (read.bw_bytes + write.bw_bytes) / 2 ** 20 : read.iops + write.iops);
};

/** For the record of a run. */
export const described = Object.fromEntries(
  Object.entries(loads).map(([name, { args, unit, seconds }]) => [name, `${args.join(' ')}, ${seconds} s, ${unit}`]),
);
