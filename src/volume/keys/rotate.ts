import { link, lstat, rename } from 'node:fs/promises';
import path from 'node:path';
import type { KeyAdded } from '../../helper/protocol/keys.ts';
import type { Requests } from '../../helper/protocol.ts';
import { reached, type VolumeContext } from '../context.ts';
import { exists, removeFile, syncDirectory } from '../directories.ts';
import { backUpHeader, renewHeaderBackup } from '../headers/backup.ts';
import { readKeyFile } from '../key-file.ts';
import type { VolumePaths } from '../layout.ts';
import { shred } from '../shred.ts';
import { type Begun, begin, slotOpenedBy } from './begin.ts';
import { rememberKind } from './kinds.ts';
import { nextKeyFile } from './next-key-file.ts';
import { addSlot, dropSlot } from './slot.ts';

/**
 * The procedure "Rotate the key file" of docs/keys.md. At every moment the file of the key's name opens the volume. A call after a crash
 * finishes what was begun and does not begin another rotation.
 */
export const rotateKeyFile = async (context: VolumeContext, request: Requests['keys-rotate']): Promise<KeyAdded> => {
  // 1 container and header, backups as they should be
  const begun = await begin(context, request);
  if ((await progressOf(begun.paths)) === 'before') await prepare(context, begun);
  return finish(context, begun);
};

/** `before`: the key's name still means the old file and no copy of it was kept. */
const progressOf = async ({ key, nextKey, formerKey }: VolumePaths): Promise<'before' | 'kept'> => {
  if (!(await exists(formerKey))) return 'before';
  // A second name of the very key that is in use: to finish would destroy it.
  const same = (await lstat(formerKey)).ino === (await lstat(key)).ino;
  if (!same || (await exists(nextKey))) return 'kept';
  await removeFile(formerKey);
  return 'before';
};

const prepare = async (context: VolumeContext, begun: Begun): Promise<void> => {
  const { container, paths } = begun;
  const current = await readKeyFile(paths.key);
  try {
    // 2 the new file under its temporary name
    const fresh = await nextKeyFile(paths);
    try {
      reached(context, 'key-file');
      // 3 add, verify, remember
      const known = await slotOpenedBy(context, container.path, fresh);
      const slot = known ?? (await addSlot(context, begun, { current, fresh, kind: 'keyFile' }));
      await rememberKind(context.luks, container.path, slot, 'keyFile');
    } finally {
      fresh.fill(0);
    }
  } finally {
    current.fill(0);
  }
  // 4 backup with both
  await backUpHeader(context, container);
  reached(context, 'key-both-backup');
  // 5 the old file under a second name, by which its slot is found later
  await link(paths.key, paths.formerKey);
  await syncDirectory(path.dirname(paths.key));
  reached(context, 'key-kept');
};

const finish = async (context: VolumeContext, begun: Begun): Promise<KeyAdded> => {
  const { container, paths } = begun;
  // 6 name
  if (await exists(paths.nextKey)) await rename(paths.nextKey, paths.key);
  await syncDirectory(path.dirname(paths.key));
  reached(context, 'key-named');
  // 7 the old slot, once more proven not to be the only one
  const slot = await withFile(paths.key, (key) => context.luks.testKey(container.path, key));
  const former = await withFile(paths.formerKey, (key) => slotOpenedBy(context, container.path, key));
  const removed: number[] = [];
  if (former !== undefined && former !== slot && (await dropSlot(context, begun, former))) removed.push(former);
  // 8 backup
  await renewHeaderBackup(context, container);
  reached(context, 'key-backup');
  // 9 the old file
  await shred(paths.formerKey);
  reached(context, 'key-file-removed');
  return { slot, added: true, removed };
};

const withFile = async <T>(file: string, use: (key: Buffer) => Promise<T>): Promise<T> => {
  const key = await readKeyFile(file);
  try {
    return await use(key);
  } finally {
    key.fill(0);
  }
};
