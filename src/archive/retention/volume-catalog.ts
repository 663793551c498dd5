/** The catalog of a volume (docs/catalog.md) as retention uses it. Where it has none, or that has failed, the directories are asked. */
import type { Catalog } from '../catalog/catalog.ts';
import type { CatalogReel, ReelState } from '../catalog/catalog-reel.ts';
import { type ReelCatalog, sameReel } from './catalog.ts';
import { type CatalogFiles, DirectoryCatalog } from './directory-catalog.ts';
import type { Reel, ReelName } from './reels.ts';

const page = 10_000;

export type CatalogRows = Pick<Catalog, 'state' | 'list' | 'markGarbage' | 'drop'>;

export class VolumeCatalog implements ReelCatalog {
  readonly #rows: CatalogRows | undefined;
  readonly #directories: DirectoryCatalog;

  constructor({ files, rows }: { files: CatalogFiles; rows: CatalogRows | undefined }) {
    this.#rows = rows;
    this.#directories = new DirectoryCatalog({ files });
  }

  get building(): boolean {
    return this.#rows?.state === 'starting' || this.#rows?.state === 'rebuilding';
  }

  async list(): Promise<Reel[]> {
    const rows = this.#usable();
    if (rows === undefined) return this.#directories.list();
    const garbage = await this.#directories.garbage();
    const reels: Reel[] = [];
    for (const { stream, hour, bytes, firstUs, lastUs } of await this.#all(rows, 'closed')) {
      const span = firstUs === null || lastUs === null ? {} : { span: { fromUs: firstUs, toUs: lastUs } };
      reels.push({ stream, hour, bytes, ...span });
    }
    return garbage.length === 0 ? reels : reels.filter((reel) => !garbage.some((other) => sameReel(reel, other)));
  }

  markGarbage(reels: readonly ReelName[]): Promise<readonly ReelName[]> {
    return (this.#usable() ?? this.#directories).markGarbage(reels);
  }

  /** Also what was marked while the rows were not there. */
  async garbage(): Promise<readonly ReelName[]> {
    const noted = await this.#directories.garbage();
    const rows = this.#usable();
    if (rows === undefined) return noted;
    const marked = (await this.#all(rows, 'garbage')).map(({ stream, hour }) => ({ stream, hour }));
    return [...marked, ...noted.filter((one) => !marked.some((other) => sameReel(one, other)))];
  }

  async drop(reels: readonly ReelName[]): Promise<void> {
    await this.#usable()?.drop(reels);
    await this.#directories.drop(reels);
  }

  /** `failed` rows are thrown away and made anew before they are asked again, so nothing that goes meanwhile is missed. */
  #usable(): CatalogRows | undefined {
    return this.#rows?.state === 'failed' ? undefined : this.#rows;
  }

  async #all(rows: CatalogRows, state: ReelState): Promise<CatalogReel[]> {
    const all: CatalogReel[] = [];
    for (let last: CatalogReel | undefined; ; ) {
      const next = await rows.list({ states: [state], limit: page, ...(last === undefined ? {} : { after: last }) });
      all.push(...next);
      last = next.at(-1);
      if (next.length < page) return all;
    }
  }
}
