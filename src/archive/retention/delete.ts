/**
 * Deletes reels, a day of a stream at a time (I3): 1 they become garbage, durably, 2 index, signature and reel are unlinked, 3 the directory
 * is synced, 4 the rows are dropped. After a crash `finishDeleting` goes on with step 2; each step may be done again.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Jail } from '../../datapath/jail.ts';
import { hourPath } from '../reel.ts';
import { isUnreadable, whenMissing } from '../volume-files.ts';
import { type ReelCatalog, sameReel } from './catalog.ts';
import { filesOf } from './directory-catalog.ts';
import type { ReelName } from './reels.ts';

export type DeleteFiles = Pick<Jail, 'stat' | 'unlink' | 'syncDirectory'>;

export interface DeleteParams {
  readonly files: DeleteFiles;
  readonly catalog: ReelCatalog;
  /** Path of the hour that is now, `2026/11/21/14`: a directory on the way to it stays, for a writer may be about to use it. */
  readonly currentHour: string;
  /** Asked before step 1, and again right before step 2: what must stay by now stays. */
  readonly mayGo: (reel: ReelName) => boolean;
  /** The storage does not let go of the index: all of the reel is there, and it is no garbage any more. */
  readonly onStuck: (reel: ReelName, error: unknown) => void;
}

const directoryOf = ({ stream, hour }: ReelName): string => `dvr/${stream}/${hourPath(hour).slice(0, 10)}`;

/** The directories of a day, a month and a year that have become empty. They hold nothing, so it does not matter whether they go, or durably. */
const removeEmpty = ({ files, currentHour }: DeleteParams, directory: string): void => {
  for (let path = directory; path.split('/').length > 2; path = path.slice(0, path.lastIndexOf('/'))) {
    if (currentHour.startsWith(path.split('/').slice(2).join('/'))) return;
    try {
      files.unlink(path, { directory: true });
    } catch {
      return; // not empty, mostly
    }
  }
};

/** Step 2 of one reel; false where nothing of it is gone. */
const unlinkReel = ({ files, onStuck }: DeleteParams, reel: ReelName): boolean => {
  const [index = '', ...rest] = filesOf(reel);
  const unlink = (path: string): void => whenMissing(() => files.unlink(path), undefined);
  try {
    unlink(index);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    onStuck(reel, error);
    return false;
  }
  for (const path of rest) unlink(path);
  return true;
};

/** Steps 2 and 3 for reels of one directory. Those that must stay by now are left; nothing can come between that question and the deed. */
const unlinkReels = async <R extends ReelName>(
  params: DeleteParams,
  directory: string,
  reels: readonly R[],
): Promise<R[]> => {
  const { files, mayGo } = params;
  const gone: R[] = [];
  for (const reel of reels) {
    if (!mayGo(reel) || !unlinkReel(params, reel)) continue;
    gone.push(reel);
    await nextTurn(); // an unlink of gigabytes takes its time, and recording goes on in between
  }
  if (gone.length === 0 || files.stat(directory) === null) return gone;
  await files.syncDirectory(directory);
  removeEmpty(params, directory);
  return gone;
};

const byDirectory = <R extends ReelName>(reels: readonly R[]): [string, R[]][] => [
  ...Map.groupBy(reels, (reel) => directoryOf(reel)),
];

/**
 * Calls `onDeleted` after each directory with the reels that are gone for good. Ends before the next one when `signal` is given. Where it throws, what was
 * told is gone, and garbage is left for `finishDeleting`.
 */
export const deleteReels = async <R extends ReelName>(
  params: DeleteParams,
  reels: readonly R[],
  onDeleted: (reels: readonly R[]) => void,
  signal: AbortSignal,
): Promise<void> => {
  const { catalog, mayGo } = params;
  for (const [directory, all] of byDirectory(reels)) {
    if (signal.aborted) return;
    const wanted = all.filter(mayGo);
    if (wanted.length === 0) continue;
    const marked = await catalog.markGarbage(wanted); // 1
    const going = wanted.filter((reel) => marked.some((other) => sameReel(reel, other)));
    const gone = await unlinkReels(params, directory, going); // 2, 3
    if (going.length > 0) await catalog.drop(going); // 4
    if (gone.length > 0) onDeleted(gone);
  }
};

/** Finishes what a crash or a failure has interrupted. A reel that must stay by now is no garbage any more: it is recorded anew, or protected. */
export const finishDeleting = async (params: DeleteParams): Promise<readonly ReelName[]> => {
  const { catalog } = params;
  const garbage = await catalog.garbage();
  if (garbage.length === 0) return [];
  const gone: ReelName[] = [];
  for (const [directory, reels] of byDirectory(garbage)) gone.push(...(await unlinkReels(params, directory, reels))); // 2, 3
  await catalog.drop(garbage); // 4
  return gone;
};
