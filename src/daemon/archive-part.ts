/** Checks of archives, their catalogs, and the keys for evidence, as the API shows them. */
import type { Catalog } from '../archive/catalog/catalog.ts';
import type { ArchiveChecker } from '../archive/check/checker.ts';
import type { EvidenceKeys } from '../archive/evidence/key-store.ts';
import { parseReelPath } from '../archive/reel.ts';
import { ReelError } from '../errors.ts';
import type { ArchiveCatalogPart, ArchiveCatalogView } from '../http/archive-catalog.ts';
import type { ArchiveCheckPart } from '../http/archive-check.ts';
import type { EvidenceKeysPart } from '../http/evidence-keys.ts';
import type { Recorder } from '../recorder/recorder.ts';

export const archiveCheckPart = (checker: ArchiveChecker, recorder: Recorder): ArchiveCheckPart => ({
  start: (name, options) => checker.start(name, recorder.openArchive(name), options),
  view: async (name) => checker.view(name),
  stop: async (name) => {
    checker.view(name);
    await checker.stop(name);
    return checker.view(name);
  },
  recover: async (name, reel) => {
    const place = parseReelPath(reel);
    if (place === undefined)
      throw new ReelError('invalid-argument', { expected: 'a reel as `dvr/cam1/2026/11/21/14.ts`', got: reel });
    return { reel, ...(await recorder.recoverReel(name, place.stream, place.hour)) };
  },
});

const catalogView = (volume: string, { state, lastRebuild, error }: Catalog): ArchiveCatalogView => ({
  volume,
  state,
  rebuild: lastRebuild ?? null,
  problem: error?.message ?? null,
});

export const archiveCatalogPart = (recorder: Recorder): ArchiveCatalogPart => {
  const catalogOf = (volume: string): Catalog => {
    const { catalog } = recorder.openArchive(volume);
    if (catalog !== undefined) return catalog;
    throw new ReelError('volume-state', {
      expected: `the volume ${volume} open for writing`,
      got: 'open read-only, without a catalog',
      hint: 'lock it and open it for writing',
      details: { volume },
    });
  };
  return {
    view: async (volume) => catalogView(volume, catalogOf(volume)),
    rebuild: async (volume) => {
      const catalog = catalogOf(volume);
      await catalog.rebuild();
      return catalogView(volume, catalog);
    },
  };
};

export const evidenceKeysPart = (keys: EvidenceKeys): EvidenceKeysPart => ({
  list: async () => {
    void keys.signing; // what keeps the key from being used is the answer
    return keys.list();
  },
  rotate: () => keys.rotate(),
});
