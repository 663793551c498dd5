import { ReelError } from '../../errors.ts';
import type { KeyRemoved } from '../../helper/protocol/keys.ts';
import type { Requests } from '../../helper/protocol.ts';
import type { VolumeContext } from '../context.ts';
import { look } from '../keys/begin.ts';
import { removeKey } from '../keys/remove.ts';
import { boundTo } from './bindings.ts';

/** Removes a binding with its slot; a key of another slot is the proof that one stays. Idempotent. The secret is the caller's. */
export const unbindKey = async (
  context: VolumeContext,
  request: Requests['unlock-unbind'],
  secrets: readonly Buffer[],
): Promise<KeyRemoved> => {
  const { header } = await look(context, request);
  const { slot } = request;
  const there = header.keyslots.some((each) => each.slot === slot);
  if (there && boundTo(header, slot) === null) {
    throw new ReelError('invalid-argument', {
      expected: 'the slot of a binding',
      got: `slot ${slot}, which is bound to nothing`,
      hint: 'see `reelvault volume key list`; keys are removed with `reelvault volume key remove`',
    });
  }
  return removeKey(context, { ...request, verb: 'keys-remove' }, secrets);
};
