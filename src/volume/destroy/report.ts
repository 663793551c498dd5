import { readFile, stat, statfs } from 'node:fs/promises';
import { deviceNumber } from '../../luks/container-size.ts';

/** What was destroyed of a volume, and what nobody can promise. Bytes are those overwritten and read back. */
export interface DestroyReport {
  readonly name: string;
  readonly container: string;
  readonly uuid: string | null;
  /** An earlier call was interrupted; this one finished it. */
  readonly resumed: boolean;
  /** Keyslots that cryptsetup erased and that are proven to be gone. */
  readonly keyslots: readonly number[];
  /** Bytes of header, both copies, and key material that were overwritten. */
  readonly headerBytes: number;
  readonly backups: { readonly files: number; readonly bytes: number };
  /** Null for a volume without one. */
  readonly keyFile: { readonly file: string; readonly bytes: number } | null;
  /** Bytes of the container that was unlinked, 0 where there was none. */
  readonly containerBytes: number;
  readonly mountPoint: string | null;
  /** What was found in the way, in words. */
  readonly notes: readonly string[];
  /** What is out of reach, in words. */
  readonly notGuaranteed: readonly string[];
}

/** Filesystems that write changed blocks elsewhere and keep the old ones for a while (statfs(2), f_type). */
const copyOnWrite: Readonly<Record<number, string>> = {
  2435016766: 'btrfs',
  801189825: 'zfs',
  3393526350: 'bcachefs',
  4076150800: 'f2fs',
  2035054128: 'overlayfs',
};

/** Whether the disk turns; null where that cannot be told. */
const turns = async (number: string): Promise<boolean | null> => {
  for (const file of [`/sys/dev/block/${number}/queue/rotational`, `/sys/dev/block/${number}/../queue/rotational`]) {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text !== undefined) return text.trim() === '1';
  }
  return null;
};

export interface Erased {
  /** That the erased files lay in. */
  readonly directories: readonly string[];
  /** Names of the container. */
  readonly links: number;
  /** That the container was, if it was no file. */
  readonly device?: string | undefined;
}

/** What overwriting cannot reach. */
export const outOfReach = async ({ directories, links, device }: Erased): Promise<string[]> => {
  const payload = device === undefined ? 'its blocks were freed, not overwritten' : 'it stays on the device';
  const words = [
    'copies elsewhere: backups, replicas, snapshots of filesystem or machine. A copy of the container, or one of its payload with a copy of the header, opens with the keys of its time',
    'keys that people know or keep: they open such copies',
    `the encrypted payload: ${payload}, and without a keyslot nothing opens it`,
    'blocks that a filesystem journal, a log-structured disk or a cache of the disk keeps for a while',
  ];
  const moves = (where: string): string =>
    `old blocks of the disk below ${where}: it may move blocks by itself (SSD, thin or network storage)`;
  for (const directory of new Set(directories)) {
    const { type } = await statfs(directory);
    const name = copyOnWrite[type];
    if (name !== undefined) words.push(`old blocks in ${directory}: ${name} writes changed blocks elsewhere`);
    const { dev } = await stat(directory, { bigint: true });
    if ((await turns(deviceNumber(dev))) !== true) words.push(moves(directory));
  }
  const present = device === undefined ? undefined : await stat(device, { bigint: true }).catch(() => undefined);
  if (device !== undefined && (present === undefined || (await turns(deviceNumber(present.rdev))) !== true))
    words.push(moves(device));
  if (links > 1)
    words.push(
      `${links - 1} more names (hard links) of the container: the payload stays under them, its header is overwritten`,
    );
  return words;
};
