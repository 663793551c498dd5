/** Checks of archives and the keys for evidence, as the API shows them. */
import type { ArchiveChecker } from '../archive/check/checker.ts';
import type { EvidenceKeys } from '../archive/evidence/key-store.ts';
import { parseReelPath } from '../archive/reel.ts';
import { ReelError } from '../errors.ts';
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

export const evidenceKeysPart = (keys: EvidenceKeys): EvidenceKeysPart => ({
  list: async () => {
    void keys.signing; // what keeps the key from being used is the answer
    return keys.list();
  },
  rotate: () => keys.rotate(),
});
