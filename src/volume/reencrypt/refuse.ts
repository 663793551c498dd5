import { refuseReencrypting } from '../../luks/reencryption.ts';
import { findRewriters } from '../engine/rewriter.ts';
import type { Found } from '../headers/find-container.ts';

/**
 * Throws `reencryption-unfinished`, for what changes a container by its bytes. It goes by the header as it lies there, because cryptsetup
 * would mend a damaged one, and by who is at work on it, where the header cannot be read.
 */
export const refuseUnderReencryption = async ({ paths, header }: Found, otherwise?: string): Promise<void> => {
  const read = header.type === 'luks2' ? (header.current.metadata.config.requirements?.mandatory ?? []) : [];
  const requirements = findRewriters({ path: paths.container }).length > 0 ? ['online-reencrypt'] : read;
  refuseReencrypting({ requirements }, paths.name, otherwise);
};
