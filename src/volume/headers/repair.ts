import { ReelError } from '../../errors.ts';
import { findingsOf } from '../../luks/header/findings.ts';
import { readHeader } from '../../luks/header/read-header.ts';
import type { VolumeContext } from '../context.ts';
import { type HeaderState, stateOf } from './compare.ts';
import { findContainer, type Which } from './find-container.ts';
import { nextStepOf } from './next-step.ts';

export interface RepairReport {
  /** False where nothing was to be done. */
  readonly repaired: boolean;
  readonly before: HeaderState;
  readonly after: HeaderState;
}

/**
 * Writes the damaged or older copy of a LUKS2 header anew from the other one; also while the volume is open. Throws `luks-damaged` where no
 * whole copy is left: then only a backup helps.
 */
export const repairHeader = async (context: VolumeContext, which: Which): Promise<RepairReport> => {
  const { paths, header } = await findContainer(context, which);
  if (header.type === 'none' || header.type === 'damaged') {
    const [finding] = findingsOf(header);
    throw new ReelError(finding?.refusal ?? 'luks-damaged', {
      expected: 'one whole copy of the header to write the other from',
      got: finding?.text ?? 'none',
      hint: nextStepOf('header-damaged', which.name),
    });
  }
  const before = stateOf(header);
  if (header.type === 'luks1' || header.agree) return { repaired: false, before, after: before };
  await context.luks.repair(paths.container);
  const mended = await readHeader(paths.container);
  if (mended.type === 'luks2' && mended.agree) return { repaired: true, before, after: stateOf(mended) };
  throw new ReelError('luks-damaged', {
    expected: 'both copies of the header whole after the repair',
    got: 'damage that is still there',
    hint: nextStepOf('header-damaged', which.name),
  });
};
