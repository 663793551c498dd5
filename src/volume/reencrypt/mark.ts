/** A token that says that a reencryption was begun, until everything after it is done, too. */
import type { Luks } from '../../luks/luks.ts';
import type { LuksDump } from '../../luks/types.ts';

const tokenType = 'reelvault-reencrypt';

const tokenOf = (header: LuksDump) => header.tokens.find(({ type }) => type === tokenType);

/** `slot` is that of the key that is carried over: cryptsetup gives it another number, so while there is a slot of this one, nothing began. */
export const mark = async (luks: Luks, file: string, slot: number): Promise<void> => {
  const id = tokenOf(await luks.dump(file))?.id;
  await luks.importToken(file, { type: tokenType, keyslots: [], slot }, id);
};

export const unmark = async (luks: Luks, file: string): Promise<void> => {
  const token = tokenOf(await luks.dump(file));
  if (token !== undefined) await luks.removeToken(file, token.id);
};

/** The data is all under the new volume key, and what has to follow was not done yet. Only for a header that is not reencrypting. */
export const isRewritten = (header: LuksDump): boolean => {
  const token = tokenOf(header);
  return token !== undefined && !header.keyslots.some(({ slot }) => slot === token.body.slot);
};
