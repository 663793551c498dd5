/** Catalogs of volumes made by hand. */
import { VolumeArchive } from '../../../src/archive/archive.ts';
import { Catalog, type CatalogParams, type CatalogState } from '../../../src/archive/catalog/catalog.ts';
import type { CatalogReel } from '../../../src/archive/catalog/catalog-reel.ts';
import type { TemporaryVolume } from '../fixtures.ts';

export interface OpenCatalog extends AsyncDisposable {
  readonly catalog: Catalog;
  readonly archive: VolumeArchive;
  /** Every state it came to, with the reason for a rebuild. */
  readonly states: readonly string[];
  /** Resolves when it is ready; rejects when it has failed. */
  ready(): Promise<void>;
}

export const openCatalog = (volume: TemporaryVolume, params: Partial<CatalogParams> = {}): OpenCatalog => {
  const states: string[] = [];
  let changed = Promise.withResolvers<void>();
  const catalog = new Catalog({
    files: volume.files,
    ...params,
    onState: (state, { error }) => {
      states.push(error === undefined ? state : `${state}: ${error.parts.got}`);
      changed.resolve();
      changed = Promise.withResolvers();
    },
  });
  const archive = new VolumeArchive({ files: volume.files, catalog });
  catalog.start();
  const ready = async (): Promise<void> => {
    for (const ends: readonly CatalogState[] = ['ready', 'failed']; !ends.includes(catalog.state); )
      await changed.promise;
    if (catalog.state === 'failed') throw new Error(states.join(', '));
  };
  return { catalog, archive, states, ready, [Symbol.asyncDispose]: () => archive.close() };
};

export const allReels = (catalog: Catalog): Promise<CatalogReel[]> => catalog.list({ limit: 10_000 });
