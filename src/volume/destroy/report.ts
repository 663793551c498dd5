import { readFile, stat, statfs } from 'node:fs/promises';

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
const turns = async (directory: string): Promise<boolean | null> => {
  const { dev } = await stat(directory, { bigint: true });
  const [major, minor] = [(dev >> 8n) & 0xfffn, (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n)];
  for (const file of [
    `/sys/dev/block/${major}:${minor}/queue/rotational`,
    `/sys/dev/block/${major}:${minor}/../queue/rotational`,
  ]) {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text !== undefined) return text.trim() === '1';
  }
  return null;
};

/** What overwriting cannot reach, for the directories that the erased files lay in. */
export const outOfReach = async (directories: readonly string[], links: number): Promise<string[]> => {
  const words = [
    'copies elsewhere: backups, replicas, snapshots of filesystem or machine. A copy of the container, or one of its payload with a copy of the header, opens with the keys of its time',
    'keys that people know or keep: they open such copies',
    'the encrypted payload: its blocks were freed, not overwritten, and without a keyslot nothing opens them',
    'blocks that a filesystem journal, a log-structured disk or a cache of the disk keeps for a while',
  ];
  for (const directory of new Set(directories)) {
    const { type } = await statfs(directory);
    const name = copyOnWrite[type];
    if (name !== undefined) words.push(`old blocks in ${directory}: ${name} writes changed blocks elsewhere`);
    if ((await turns(directory)) !== true) {
      words.push(
        `old blocks of the disk below ${directory}: it may move blocks by itself (SSD, thin or network storage)`,
      );
    }
  }
  if (links > 1)
    words.push(
      `${links - 1} more names (hard links) of the container: the payload stays under them, its header is overwritten`,
    );
  return words;
};
