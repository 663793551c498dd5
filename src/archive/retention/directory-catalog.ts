/**
 * A catalog without a database, for volumes whose own is not there: reels by a walk over the directories, garbage in `.reelvault/garbage.json`. The
 * walk asks for every reel (3 calls each), in pieces, so that the event loop goes on in between; whoever calls it spaces his passes by what they cost.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import Type from 'typebox';
import type { Jail } from '../../datapath/jail.ts';
import { readNote, writeNote } from '../note-file.ts';
import { hourPath, hourUs, indexPath, reelPath } from '../reel.ts';
import { reelHours } from '../reel-tree.ts';
import { isUnreadable, lister } from '../volume-files.ts';
import { type ReelCatalog, sameReel } from './catalog.ts';
import type { Reel, ReelName } from './reels.ts';

export type CatalogFiles = Pick<Jail, 'readdir' | 'stat' | 'readFile' | 'writeFileAtomic'>;

const garbageFile = '.reelvault/garbage.json';
const garbageSchema = Type.Object({
  layout: Type.Literal(1),
  reels: Type.Array(Type.Object({ stream: Type.String({ pattern: '^[^/]+$' }), hour: Type.Integer({ minimum: 0 }) })),
});

/** The files of a reel, in the order in which they are deleted: without its index nobody is led to it any more. */
export const filesOf = ({ stream, hour }: ReelName): string[] => [
  indexPath(stream, hour),
  `dvr/${stream}/${hourPath(hour)}.sig`,
  reelPath(stream, hour),
];

/** Of a walk, between two looks at the event loop. */
const reelsATurn = 32;
const lastHour = Math.floor(Date.UTC(9999, 11, 31, 23) / (hourUs / 1000));

export class DirectoryCatalog implements ReelCatalog {
  readonly building = false;
  readonly #files: CatalogFiles;

  constructor({ files }: { files: CatalogFiles }) {
    this.#files = files;
  }

  async list(): Promise<Reel[]> {
    const names = lister(this.#files, () => {}); // who plays from it tells
    const garbage = await this.garbage();
    const reels: Reel[] = [];
    for (const stream of names('dvr'))
      for (const hour of reelHours(names, stream, 0, lastHour)) {
        const bytes = filesOf({ stream, hour }).reduce((sum, path) => sum + this.#allocated(path), 0);
        reels.push({ stream, hour, bytes });
        if (reels.length % reelsATurn === 0) await nextTurn();
      }
    return garbage.length === 0 ? reels : reels.filter((reel) => !garbage.some((other) => sameReel(reel, other)));
  }

  #allocated(path: string): number {
    try {
      return this.#files.stat(path)?.allocated ?? 0;
    } catch (error) {
      if (isUnreadable(error)) return 0;
      throw error;
    }
  }

  async garbage(): Promise<readonly ReelName[]> {
    return (await readNote(this.#files, garbageFile, garbageSchema))?.reels ?? [];
  }

  async markGarbage(reels: readonly ReelName[]): Promise<readonly ReelName[]> {
    await this.#write([...(await this.garbage()), ...reels]);
    return reels;
  }

  async drop(reels: readonly ReelName[]): Promise<void> {
    const garbage = await this.garbage();
    if (garbage.length === 0) return;
    await this.#write(garbage.filter((one) => !reels.some((other) => sameReel(one, other))));
  }

  #write(reels: readonly ReelName[]): Promise<void> {
    const rows = reels.map(({ stream, hour }) => ({ stream, hour }));
    return writeNote(this.#files, garbageFile, { layout: 1, reels: rows });
  }
}
