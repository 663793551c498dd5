/** What lies on a device, by its signatures: nobody formats a disk with data on it by a slip of the hand. */
import { ReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';

export interface Signature {
  /** As libblkid names it: `ext4`, `crypto_LUKS`, `gpt`, `LVM2_member`, `linux_raid_member`, `swap`. */
  readonly type: string;
  readonly uuid: string | null;
  readonly label: string | null;
}

const timeoutMs = 60_000;

export const signaturesOn = async (node: string): Promise<Signature[]> => {
  const args = ['--no-act', '--json', '--output', 'TYPE,UUID,LABEL', node];
  const { stdout } = await run('wipefs', args, { timeoutMs });
  const text = stdout.toString().trim();
  if (text === '') return []; // nothing found
  return (JSON.parse(text) as { signatures: Signature[] }).signatures;
};

const describe = ({ type, uuid, label }: Signature): string =>
  [type, ...(label === null ? [] : [`"${label}"`]), ...(uuid === null ? [] : [uuid])].join(' ');

/**
 * Throws `device-not-empty` unless `confirmed` names exactly the types that were found: a name too many means that this is not the disk
 * that was meant.
 */
export const refuseSignatures = (
  device: string,
  found: readonly Signature[],
  confirmed: readonly string[] = [],
): void => {
  const types = [...new Set(found.map(({ type }) => type))].sort();
  if (types.join() === [...new Set(confirmed)].sort().join()) return;
  const expected = confirmed.length === 0 ? `nothing on ${device}` : `${confirmed.join(', ')} on ${device}`;
  throw new ReelError('device-not-empty', {
    expected,
    got: found.length === 0 ? 'nothing' : found.map(describe).join('; '),
    hint:
      found.length === 0
        ? 'see whether it is the right device, and name no signature'
        : `what is on it would be lost; if that is meant, repeat it with --overwrite-signature ${types.join(',')}`,
    details: { device, signatures: found },
  });
};

/** Takes all signatures away. Fails where somebody uses the device by now. */
export const wipeSignatures = async (node: string): Promise<void> => {
  await run('wipefs', ['--all', '--quiet', node], { timeoutMs });
};
