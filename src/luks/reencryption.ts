import { ReelError } from '../errors.ts';
import type { LuksDump } from './types.ts';

/** Whether the container is between two volume keys: its data is readable only to what knows both. */
export const isReencrypting = (header: LuksDump): boolean =>
  header.requirements.some((requirement) => /^(?:online|offline)-reencrypt/.test(requirement));

/** Throws `reencryption-unfinished`: nothing but the reencryption itself may touch such a container. */
export const refuseReencrypting = (header: LuksDump, name: string): void => {
  if (!isReencrypting(header)) return;
  throw new ReelError('reencryption-unfinished', {
    expected: `a container of ${name} with one volume key`,
    got: 'one whose reencryption is unfinished',
    hint: `wait for it, or finish it with \`reelvault volume reencrypt resume ${name}\``,
  });
};
