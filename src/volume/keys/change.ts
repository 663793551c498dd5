import { ReelError } from '../../errors.ts';
import type { KeyChanged } from '../../helper/protocol/keys.ts';
import type { Requests } from '../../helper/protocol.ts';
import { reached, type VolumeContext } from '../context.ts';
import { backUpHeader, renewHeaderBackup } from '../headers/backup.ts';
import { begin, slotOpenedBy } from './begin.ts';
import { rememberKind } from './kinds.ts';
import { addSlot, dropSlot } from './slot.ts';

/**
 * The procedure "Change a passphrase" of docs/keys.md: the new one has a slot of its own before the old one loses its. Idempotent: with the
 * old passphrase gone already, the new one must open. That it opens nothing now does not say that it ever did (it may be mistyped): so the
 * answer has the slots that are left. The secrets are the caller's.
 */
export const changeKey = async (
  context: VolumeContext,
  request: Requests['keys-change'],
  old: Buffer,
  fresh: Buffer,
): Promise<KeyChanged> => {
  if (old.equals(fresh)) {
    throw new ReelError('invalid-argument', { expected: 'a new passphrase that differs', got: 'the same one' });
  }
  // 1 container and header, backups as they should be
  const begun = await begin(context, request);
  const { container } = begun;
  const formerSlot = await slotOpenedBy(context, container.path, old);
  const known = await slotOpenedBy(context, container.path, fresh);
  if (formerSlot === undefined && known === undefined) {
    throw new ReelError('wrong-key', {
      expected: `a passphrase that opens ${container.path}`,
      got: 'one that opens no keyslot',
    });
  }
  // 2 to 4 add, verify, remember
  const slot = known ?? (await addSlot(context, begun, { current: old, fresh, kind: 'passphrase' }));
  if (known !== undefined) await rememberKind(context.luks, container.path, slot, 'passphrase');
  // 5 backup with both, then the old slot goes
  const removed: number[] = [];
  if (formerSlot !== undefined) {
    await backUpHeader(context, container);
    reached(context, 'key-both-backup');
    if (await dropSlot(context, begun, formerSlot)) removed.push(formerSlot);
  }
  // 6 backup
  await renewHeaderBackup(context, container);
  reached(context, 'key-backup');
  const { keyslots } = await context.luks.dump(container.path);
  return { slot, added: known === undefined, removed, left: keyslots.map((keyslot) => keyslot.slot) };
};
