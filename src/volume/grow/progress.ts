import type { GrowProgress } from '../../helper/protocol/grow.ts';
import type { VolumeContext } from '../context.ts';
import { exists } from '../directories.ts';
import { readLuksHeader } from '../luks-header.ts';
import { measure } from './container.ts';
import { readJournal } from './journal.ts';

/** How far a grow is, from its journal and the container's file alone: it is asked for while the volume's turn is taken. */
export const growProgress = async (
  context: VolumeContext,
  volume: string,
  container?: string,
): Promise<GrowProgress | null> => {
  const paths = context.layout.paths(volume, container);
  if (!(await exists(paths.growing)) || !(await exists(paths.container))) return null;
  await context.layout.proveFile(paths.container);
  const journal = await readJournal(paths.growing, (await readLuksHeader(paths.container)).uuid);
  if (journal === undefined) return null;
  const { allocated } = paths.isDevice ? { allocated: journal.to } : await measure(paths.container);
  return { from: journal.from, to: journal.to, allocated: Math.min(allocated, journal.to) };
};
