/** Stands for the archive: its rules, episodes, catalog, checks and the keys of its evidence. */
import type { ArchiveCatalogPart } from '../../../src/http/archive-catalog.ts';
import type { ArchiveCheckPart, ArchiveCheckView } from '../../../src/http/archive-check.ts';
import type { EpisodesPart } from '../../../src/http/archive-episodes.ts';
import type { RetentionPart } from '../../../src/http/archive-retention.ts';
import type { EvidenceKeysPart } from '../../../src/http/evidence-keys.ts';
import type { Seen } from './seen.ts';

export const archiveStandIn = ({ note }: Seen) => {
  const rules = { maxAgeSeconds: null, maxBytes: null, freeMinutes: null, freeBytes: null, streams: {} };
  const kept = { volume: 'main', rules, freeBytes: 1, wantedFreeBytes: 0, short: 0, bytesPerSecond: 0, held: [] };
  const report = { volume: 'main', reels: 0, bytes: 0, short: 0, takesMost: false, streams: [], list: [] };
  const retention: RetentionPart = {
    get: async () => ({ ...kept, problem: null }),
    change: async (name, change) => {
      note('retention', name, change);
      return { ...kept, problem: null };
    },
    changeStream: async (name, of, change) => {
      note('retention stream', name, { of, change });
      return { ...kept, problem: null };
    },
    purge: async (name, options) => {
      note('retention run', name, options);
      return { ...report, dryRun: options.dryRun };
    },
    thin: async (name, options) => {
      note('thin', name, options);
      return { ...report, dryRun: options.dryRun };
    },
  };
  const episodes: EpisodesPart = {
    list: async () => [],
    put: async (name, episode, replace) => {
      note('episode', name, { ...episode, replace });
      return { ...episode, expired: false };
    },
    remove: async (name, id) => {
      note('episode remove', name, id);
      return id !== 'gone';
    },
  };
  const checked = (name: string, state: ArchiveCheckView['state']): ArchiveCheckView => ({
    ...{ volume: name, state, level: 'index', stream: null, startedAt: 1, endedAt: null, problem: null, at: null },
    ...{ streams: 1, streamsDone: 0, reels: 0, bytes: 0, damage: 0, notices: 0, findings: [] },
  });
  const catalog = { state: 'ready' as const, rebuild: null, problem: null };
  const archiveCatalog: ArchiveCatalogPart = {
    view: async (volume) => ({ volume, ...catalog }),
    rebuild: async (volume) => {
      note('catalog rebuild', volume);
      const rebuild = { why: 'it was asked for', streams: 2, streamsDone: 1, reels: 3 };
      return { volume, ...catalog, state: 'rebuilding', rebuild };
    },
  };
  const archiveCheck: ArchiveCheckPart = {
    start: async (name, options) => {
      note('check', name, options);
      return checked(name, 'running');
    },
    view: async (name) => checked(name, 'done'),
    stop: async (name) => {
      note('check stop', name);
      return checked(name, 'stopped');
    },
    recover: async (name, reel) => {
      note('reel recover', name, { reel });
      return { reel, records: 1, indexed: 188, cutBytes: 0, added: 1, lost: 0, leftOver: 0 };
    },
  };
  const evidenceKey = { id: '00', publicKey: 'PEM', madeAt: '2026-11-21T00:00:00.000Z', retiredAt: null };
  const evidenceKeys: EvidenceKeysPart = {
    list: async () => [evidenceKey],
    rotate: async () => {
      note('evidence key rotate', '');
      return evidenceKey;
    },
  };
  return { retention, episodes, archiveCatalog, archiveCheck, evidenceKeys };
};
