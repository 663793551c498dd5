import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { ReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';

/** dm-crypt's switches, by the names of cryptsetup's `--perf-…` options. All are off by default: on spinning disks they cost. */
export const performanceFlags = [
  ...(['no_read_workqueue', 'no_write_workqueue', 'same_cpu_crypt', 'submit_from_crypt_cpus'] as const),
  'high_priority',
] as const;
export type PerformanceFlag = (typeof performanceFlags)[number];

type Version = readonly [major: number, minor: number, patch: number];

const parse = (text: string): Version | undefined => {
  const [, major, minor, patch] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch ?? 0)];
};

const atLeast = (version: Version, least: Version): boolean => {
  const place = version.findIndex((part, index) => part !== least[index]);
  return place === -1 || (version[place] ?? 0) > (least[place] ?? 0);
};

/**
 * The kernel's own version. Distributions keep `uname -r` at x.y.0 and say the real patch level elsewhere: Debian in the version
 * string, Ubuntu in `/proc/version_signature`.
 */
export const kernelVersion = (release: string, version: string, signature: string): Version => {
  const said = parse(release) ?? [0, 0, 0];
  const debian = parse(/Debian (\d+\.\d+\.\d+)/.exec(version)?.[1] ?? '');
  const ubuntu = parse(signature.trim().split(' ').at(-1) ?? '');
  const better = [debian, ubuntu].find((each) => each?.[0] === said[0] && each[1] === said[1] && each[2] > said[2]);
  return better ?? said;
};

/**
 * From where on the work queues can be passed by without the tasklets that wrote to freed memory (Linux 6.8, "dm-crypt, dm-verity: disable
 * tasklets", which fixes 5.9 and later). Long-term series got it as a patch level; some levels later is taken, to be sure.
 */
const repaired: readonly Version[] = [
  [6, 7, 6],
  [6, 6, 19],
  [6, 1, 80],
  [5, 15, 150],
  [5, 10, 211],
];
const withoutTasklets = (version: Version): boolean =>
  atLeast(version, [6, 8, 0]) ||
  repaired.some((least) => least[0] === version[0] && least[1] === version[1] && atLeast(version, least));

const since: Readonly<Record<PerformanceFlag, (version: Version) => boolean>> = {
  no_read_workqueue: withoutTasklets,
  no_write_workqueue: withoutTasklets,
  same_cpu_crypt: (version) => atLeast(version, [4, 0, 0]),
  submit_from_crypt_cpus: (version) => atLeast(version, [4, 0, 0]),
  high_priority: (version) => atLeast(version, [6, 10, 0]),
};

/** The flags among `wanted` that this kernel must not be given. */
export const unfitFlags = (wanted: readonly PerformanceFlag[], version: Version): PerformanceFlag[] =>
  wanted.filter((flag) => !since[flag](version));

/** Throws `engine-unavailable` naming the flags that this kernel, or this cryptsetup, cannot do. */
export const checkPerformance = async (wanted: readonly PerformanceFlag[]): Promise<void> => {
  if (wanted.length === 0) return;
  const signature = await readFile('/proc/version_signature', 'utf8').catch(() => ''); // Ubuntu's alone
  const version = kernelVersion(os.release(), os.version(), signature);
  const { stdout } = await run('cryptsetup', ['--help'], { timeoutMs: 10_000 });
  const unknown = wanted.filter((flag) => !stdout.includes(`--perf-${flag}`));
  const unfit = unfitFlags(wanted, version);
  if (unfit.length + unknown.length === 0) return;
  const [flags, got] = unfit.length > 0 ? [unfit, `kernel ${version.join('.')}`] : [unknown, 'an older cryptsetup'];
  throw new ReelError('engine-unavailable', {
    expected: `a kernel and a cryptsetup that can do ${flags.join(', ')}`,
    got,
    hint: 'create the volume without these flags: on older kernels they can corrupt memory',
    details: { flags },
  });
};
