import { rename } from 'node:fs/promises';
import path from 'node:path';
import { ReelError } from '../../errors.ts';
import type { KeyAdded } from '../../helper/protocol/keys.ts';
import type { Requests } from '../../helper/protocol.ts';
import { reached, type VolumeContext } from '../context.ts';
import { exists, syncDirectory } from '../directories.ts';
import { backUpHeader, renewHeaderBackup } from '../headers/backup.ts';
import { readKeyFile } from '../key-file.ts';
import { type Begun, begin, slotOpenedBy, withCurrent } from './begin.ts';
import { rememberKind } from './kinds.ts';
import { nextKeyFile } from './next-key-file.ts';
import { addSlot, dropSlot } from './slot.ts';

/** The procedure "Add a key" of docs/keys.md. Idempotent. The secrets are the caller's. */
export const addKey = async (
  context: VolumeContext,
  request: Requests['keys-add'],
  secrets: readonly Buffer[],
): Promise<KeyAdded> => {
  // 1 container and header, backups as they should be
  const begun = await begin(context, request);
  const [current, given] = request.current === 'passphrase' ? secrets : [undefined, ...secrets];
  return withCurrent(begun, request.current, current, async (key) => {
    if (request.kind === 'keyFile') return addKeyFile(context, begun, key);
    if (given === undefined) throw new ReelError('internal', { expected: 'a new key', got: 'none' });
    return addGiven(context, begun, request, { key, given });
  });
};

const addGiven = async (
  context: VolumeContext,
  begun: Begun,
  { kind, replaces = [] }: Requests['keys-add'],
  { key, given }: { readonly key: Buffer; readonly given: Buffer },
): Promise<KeyAdded> => {
  const { container } = begun;
  const unlocked = await context.luks.testKey(container.path, key);
  // Random keys are new, so only a passphrase can be there already.
  const known = kind === 'passphrase' ? await slotOpenedBy(context, container.path, given) : undefined;
  if (known === unlocked) {
    throw new ReelError('invalid-argument', {
      expected: 'a new key that is not the one that unlocks',
      got: 'the same key',
    });
  }
  // 2 to 4 add, verify, remember
  const slot = known ?? (await addSlot(context, begun, { current: key, fresh: given, kind }));
  if (known !== undefined) await rememberKind(context.luks, container.path, slot, kind);
  // 5 what it replaces
  const former = replaces.filter((each) => each !== slot);
  if (former.length > 0) await backUpHeader(context, container);
  const removed: number[] = [];
  for (const each of former) if (await dropSlot(context, begun, each)) removed.push(each);
  // 6 backup
  await renewHeaderBackup(context, container);
  reached(context, 'key-backup');
  return { slot, added: known === undefined, removed };
};

/** A random key file for a volume that has none. Its name is the last step, so a file of that name always opens the volume. */
const addKeyFile = async (context: VolumeContext, begun: Begun, key: Buffer): Promise<KeyAdded> => {
  const { container, paths } = begun;
  if (await exists(paths.key)) return keyFileThere(context, begun);
  // 2 to 4 file under its temporary name; add, verify, remember
  const fresh = await nextKeyFile(paths);
  try {
    reached(context, 'key-file');
    const known = await slotOpenedBy(context, container.path, fresh);
    const slot = known ?? (await addSlot(context, begun, { current: key, fresh, kind: 'keyFile' }));
    await rememberKind(context.luks, container.path, slot, 'keyFile');
    // 6 backup
    await renewHeaderBackup(context, container);
    reached(context, 'key-backup');
    // 7 name
    await rename(paths.nextKey, paths.key);
    await syncDirectory(path.dirname(paths.key));
    reached(context, 'key-named');
    return { slot, added: true, removed: [] };
  } finally {
    fresh.fill(0);
  }
};

const keyFileThere = async (context: VolumeContext, { container, paths }: Begun): Promise<KeyAdded> => {
  const key = await readKeyFile(paths.key);
  try {
    const slot = await slotOpenedBy(context, container.path, key);
    if (slot !== undefined) return { slot, added: false, removed: [] };
  } finally {
    key.fill(0);
  }
  throw new ReelError('already-exists', {
    expected: `no file at ${paths.key}`,
    got: 'one that does not open this volume',
    hint: 'move it away',
  });
};
