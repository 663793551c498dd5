import { readFile } from 'node:fs/promises';

/** One line of `/proc/<pid>/mountinfo` (proc_pid_mountinfo(5)). */
export interface Mount {
  readonly id: number;
  readonly parent: number;
  /** `major:minor` of the filesystem's device; 0:N where it has none (FUSE, tmpfs). */
  readonly device: string;
  readonly root: string;
  readonly point: string;
  readonly options: readonly string[];
  /** Its peer group, where it is shared; what is mounted or unmounted below it happens in every mount of the group. */
  readonly shared: number | null;
  /** The peer group it follows, where it is a slave. */
  readonly master: number | null;
  readonly type: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}

/** The kernel writes space, tab, newline and backslash in paths as three octal digits; a path is bytes, hence the detour. */
const unescapePath = (text: string): string =>
  text.includes('\\')
    ? Buffer.from(
        Buffer.from(text)
          .toString('latin1')
          .replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
        'latin1',
      ).toString()
    : text;

const parseLine = (line: string): Mount[] => {
  const [front = '', back = ''] = line.split(' - ', 2);
  const [id, parent, device, root, point, options, ...tags] = front.split(' ');
  const group = (name: string): number | null => {
    const tag = tags.find((each) => each.startsWith(`${name}:`));
    return tag === undefined ? null : Number(tag.slice(name.length + 1));
  };
  const [type, source, superOptions] = back.split(' ');
  if (device === undefined || root === undefined || point === undefined || type === undefined) return [];
  return [
    {
      id: Number(id),
      parent: Number(parent),
      device,
      root: unescapePath(root),
      point: unescapePath(point),
      options: (options ?? '').split(','),
      shared: group('shared'),
      master: group('master'),
      type,
      source: unescapePath(source ?? ''),
      superOptions: (superOptions ?? '').split(','),
    },
  ];
};

/** In the order of the kernel: of two mounts on one point, the later one is on top. */
export const parseMountinfo = (text: string): Mount[] => text.split('\n').flatMap(parseLine);

/** The mounts in the namespace of process `pid`. */
export const readMounts = async (pid: number | 'self' = 'self'): Promise<Mount[]> =>
  parseMountinfo(await readFile(`/proc/${pid}/mountinfo`, 'utf8'));

export const mountAt = (mounts: readonly Mount[], point: string): Mount | undefined =>
  mounts.findLast((mount) => mount.point === point);

/**
 * Why nothing can be written there now, or undefined. ext4 shows its own emergency as `ro` (`errors=remount-ro`, older kernels)
 * or as `emergency_ro` (kernel 6.15 and later, where the mount still says `rw`).
 */
export const readOnlyReason = (mount: Mount): string | undefined => {
  if (mount.superOptions.includes('emergency_ro'))
    return 'the filesystem stopped writing after an error (emergency_ro)';
  if (mount.superOptions.includes('shutdown')) return 'the filesystem was shut down after an error';
  return mount.options.includes('ro') || mount.superOptions.includes('ro') ? 'it is mounted read-only' : undefined;
};
