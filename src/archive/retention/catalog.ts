/** Which reels a volume holds, and which are being deleted. */
import type { Reel, ReelName } from './reels.ts';

export interface ReelCatalog {
  /** True while not every reel is known yet: it will be over by itself. */
  readonly building: boolean;
  /** All reels with an index that no writer has, those that are garbage left out, in any order. */
  list(): Promise<Reel[]>;
  /** Durable on return: those that are answered are to be deleted, also after a crash. The others must stay. */
  markGarbage(reels: readonly ReelName[]): Promise<readonly ReelName[]>;
  /** Marked, and not dropped yet. */
  garbage(): Promise<readonly ReelName[]>;
  /** They are no garbage any more: their files are gone, or they are there and stay. */
  drop(reels: readonly ReelName[]): Promise<void>;
}

export const sameReel = (a: ReelName, b: ReelName): boolean => a.stream === b.stream && a.hour === b.hour;
