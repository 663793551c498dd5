/** What an admin does next after a refusal, where the service alone cannot say it: in the verbs of this command line. */
import { ReelError, toReelError } from '../errors.ts';
import type { AdminClient } from './client.ts';
import { keysUrl } from './volume-url.ts';

const withHint = (error: ReelError, more: string): ReelError =>
  new ReelError(error.code, {
    ...error.parts,
    hint: [error.parts.hint, more].filter(Boolean).join('; '),
    cause: error,
    details: error.details,
  });

/** After a lock that was refused: who is in the way, and the next level. */
export const afterLock = (thrown: unknown, name: string, level: string): unknown => {
  const error = toReelError(thrown);
  if (error.code !== 'volume-busy') return thrown;
  const lock = `reelvault volume lock ${name}`;
  const drain = `\`${lock} --drain\` ends recordings and takes unused leases away first`;
  const next = [...(level === 'lock' ? [drain] : []), `\`${lock} --slam\` ends whoever uses it`];
  const hint = `\`reelvault volume holders ${name}\` shows who uses it; ${next.join('; ')}`;
  return new ReelError(error.code, { ...error.parts, hint, cause: error, details: error.details });
};

interface Slots {
  readonly keys: readonly { readonly slot: number; readonly kind: string | null }[];
}

/** After a key that opened nothing: which kinds of keys there are, and how each is given. Never what is in a slot. */
export const afterWrongKey = async (thrown: unknown, client: AdminClient, name: string): Promise<unknown> => {
  const error = toReelError(thrown);
  if (error.code !== 'wrong-key') return thrown;
  const listed = await client.get<Slots>(keysUrl(name)).catch(() => undefined);
  const slots = listed?.keys.map(({ slot, kind }) => `${slot} ${kind ?? 'unknown'}`).join(', ');
  const there = slots === undefined ? '' : `its keyslots: ${slots}; `;
  return withHint(
    error,
    `${there}--ask asks for a passphrase, --passphrase-file takes it from a file, --recovery takes the recovery key, none of them the key file`,
  );
};
