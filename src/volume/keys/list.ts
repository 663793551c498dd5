import type { KeyList } from '../../helper/protocol/keys.ts';
import type { Requests } from '../../helper/protocol.ts';
import { isReencrypting } from '../../luks/reencryption.ts';
import type { VolumeContext } from '../context.ts';
import { boundTo } from '../unlock/bindings.ts';
import { look } from './begin.ts';
import { kindOf } from './kinds.ts';

/** The keyslots of a container, locked or open. No key is derived and nothing is written. */
export const listKeys = async (context: VolumeContext, request: Requests['keys-list']): Promise<KeyList> => {
  const { header } = await look(context, request);
  return {
    type: header.type,
    reencrypting: isReencrypting(header),
    keys: header.keyslots.map((slot) => ({
      ...slot,
      kind: kindOf(header, slot.slot),
      binding: boundTo(header, slot.slot),
    })),
  };
};
