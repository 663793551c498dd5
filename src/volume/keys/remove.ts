import { ReelError } from '../../errors.ts';
import type { KeyRemoved } from '../../helper/protocol/keys.ts';
import type { Requests } from '../../helper/protocol.ts';
import { reached, type VolumeContext } from '../context.ts';
import { exists } from '../directories.ts';
import { renewHeaderBackup } from '../headers/backup.ts';
import { readKeyFile } from '../key-file.ts';
import { shred } from '../shred.ts';
import { type Begun, begin, type Located, slotOpenedBy, withCurrent } from './begin.ts';
import { kindOf } from './kinds.ts';
import { dropSlot } from './slot.ts';

/**
 * The procedure "Remove a key" of docs/keys.md. Whoever removes proves that a key of another slot is known: a slot that nobody knows the
 * key of protects nobody. Idempotent by slot number. The secrets are the caller's.
 */
export const removeKey = async (
  context: VolumeContext,
  request: Requests['keys-remove'],
  secrets: readonly Buffer[],
): Promise<KeyRemoved> => {
  // 1 container and header, backups as they should be
  const begun = await begin(context, request);
  const { container, header } = begun;
  const [current, given] = request.current === 'passphrase' ? secrets : [undefined, ...secrets];
  // 2 the key that stays
  const stays = await withCurrent(begun, request.current, current, (key) => context.luks.testKey(container.path, key));
  const slot = request.slot ?? (await slotOf(context, begun, given));
  if (slot === stays) throw ownSlot(begun, slot, request.current);
  const mayBeKeyFile = kindOf(header, slot) === 'keyFile' || kindOf(header, slot) === null;
  // 3 the slot
  const removed = await dropSlot(context, begun, slot);
  // 4 backup
  await renewHeaderBackup(context, container);
  reached(context, 'key-backup');
  // 5 a key file that opens nothing any more
  const keyFileRemoved = mayBeKeyFile && request.current !== 'keyFile' && (await dropKeyFile(context, begun));
  return { slot: removed ? slot : null, keyFileRemoved };
};

/** What was given proves nothing about a key that stays: there is no other, or it is not known. */
const ownSlot = ({ header }: Begun, slot: number, current: 'passphrase' | 'keyFile'): ReelError => {
  const others = header.keyslots.filter((keyslot) => keyslot.usable && keyslot.slot !== slot).map((one) => one.slot);
  const given = current === 'keyFile' ? 'the key file' : 'the key that was given';
  return new ReelError(others.length === 0 ? 'last-keyslot' : 'same-keyslot', {
    expected: 'proof of a key that stays',
    got: `${given}, which opens slot ${slot} itself`,
    hint:
      others.length === 0
        ? 'add another key first'
        : `unlock with a key of another slot (${others.join(', ')}): --ask, --passphrase-file or --recovery`,
    details: { slot, others },
  });
};

const slotOf = async (context: VolumeContext, { container }: Begun, given: Buffer | undefined): Promise<number> => {
  if (given === undefined) throw new ReelError('internal', { expected: 'the key to be removed', got: 'none' });
  const slot = await slotOpenedBy(context, container.path, given);
  if (slot !== undefined) return slot;
  throw new ReelError('wrong-key', {
    expected: 'the key of a slot to be removed',
    got: 'one that opens no keyslot',
    hint: 'if a former call was interrupted, its slot is gone already; else look at the list of keys',
  });
};

/** Only one that opens nothing goes: a slot without a token may have been for anything. */
export const dropKeyFile = async (context: VolumeContext, { container, paths }: Located): Promise<boolean> => {
  if (!(await exists(paths.key))) return false;
  const key = await readKeyFile(paths.key);
  try {
    if ((await slotOpenedBy(context, container.path, key)) !== undefined) return false;
  } finally {
    key.fill(0);
  }
  await shred(paths.key);
  reached(context, 'key-file-removed');
  return true;
};
