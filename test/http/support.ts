/** The application with its real rules and stand-ins for what lies behind the routes, which records what reaches it. */
import { Writable } from 'node:stream';
import type { FastifyPluginAsync } from 'fastify';
import pino from 'pino';
import type { AuditFacts } from '../../src/audit/chain.ts';
import { BasicAuth } from '../../src/auth/basic.ts';
import { hashPassword } from '../../src/auth/password.ts';
import { TicketOffice } from '../../src/auth/tickets.ts';
import { ReelError } from '../../src/errors.ts';
import { EventBus } from '../../src/events/bus.ts';
import { buildApp } from '../../src/http/app.ts';
import type { ArchiveCatalogPart } from '../../src/http/archive-catalog.ts';
import type { ArchiveCheckPart, ArchiveCheckView } from '../../src/http/archive-check.ts';
import type { EpisodesPart } from '../../src/http/archive-episodes.ts';
import type { RetentionPart } from '../../src/http/archive-retention.ts';
import type { AuditPart } from '../../src/http/audit.ts';
import { durableLagHistogram } from '../../src/http/durable-lag.ts';
import type { EvidenceKeysPart } from '../../src/http/evidence-keys.ts';
import type { MetricsPart } from '../../src/http/metrics.ts';
import type { DeletedStream, StreamView } from '../../src/http/streams.ts';
import type { VolumeDestroyPart } from '../../src/http/volume-destroy.ts';
import type { VolumeGrowPart } from '../../src/http/volume-grow.ts';
import type { VolumeHeadersPart } from '../../src/http/volume-headers.ts';
import type { VolumeKeysPart } from '../../src/http/volume-keys.ts';
import type { VolumeLeasesPart } from '../../src/http/volume-leases.ts';
import type { VolumeLockPart } from '../../src/http/volume-lock.ts';
import type { ReencryptPart } from '../../src/http/volume-reencrypt.ts';
import type { VolumeUnlockPart } from '../../src/http/volume-unlock.ts';
import type { CreateOptions, VolumesPart, VolumeView } from '../../src/http/volumes.ts';

export const password = 'marked-password-7461';
export const signedIn = { authorization: `Basic ${Buffer.from(`admin:${password}`).toString('base64')}` };
const account = { version: 1 as const, user: 'admin', password: await hashPassword(password) };

export const volume = (name: string, changes: Partial<VolumeView> = {}): VolumeView => ({
  name,
  state: 'open',
  container: `/storage/containers/${name}.luks`,
  blockDevice: null,
  mountPoint: `/mount/${name}`,
  uuid: '8a2f4c1e-0000-4000-8000-000000000001',
  type: 'luks2',
  cipher: 'aes-xts-plain64',
  engine: 'userspace',
  size: 1 << 30,
  keyFile: null,
  key: 'passphrase',
  createdAt: '2026-11-21T00:00:00.000Z',
  device: '/dev/loop0',
  directIo: true,
  readOnly: false,
  blockPid: 7,
  growing: null,
  header: null,
  failure: null,
  conditions: [],
  ...{ netSize: 1 << 30, capacity: 1 << 29, available: 1 << 28, filesystem: 'ext4', sparse: false, progress: null },
  ...changes,
});

export interface Seen {
  readonly calls: { call: string; name: string; options?: unknown; secret?: string }[];
  /** The very buffers that reached the volume manager. */
  readonly secrets: Buffer[];
}

export const standIn = async (
  changes: {
    trail?: AuditPart['trail'];
    volumes?: Partial<VolumesPart>;
    closing?: Partial<VolumeLockPart>;
    attempts?: number;
    now?: () => number;
    metrics?: MetricsPart;
  } = {},
) => {
  const seen: Seen = { calls: [], secrets: [] };
  const note = (call: string, name: string, options?: unknown, secret?: Buffer): void => {
    if (secret !== undefined) seen.secrets.push(secret);
    seen.calls.push({
      call,
      name,
      ...(options === undefined ? {} : { options }),
      ...(secret === undefined ? {} : { secret: secret.toString('latin1') }),
    });
  };
  const volumes: VolumesPart = {
    list: async () => [volume('main')],
    get: async (name) => {
      if (name === 'main') return volume(name);
      throw new ReelError('not-found', { expected: 'a volume', got: name });
    },
    create: async (name, options: CreateOptions, secret) => {
      note('create', name, options, secret);
      return volume(name);
    },
    open: async (name, options, secret) => {
      note('open', name, options, secret);
      return volume(name);
    },
    ...changes.volumes,
  };
  const closing: VolumeLockPart = {
    lock: async (name, options) => {
      note('lock', name, options);
      return { ...volume(name, { state: 'locked' }), recordings: options.drain ? ['cam1'] : [] };
    },
    slam: async (name, options) => {
      note('slam', name, options);
      return { ...volume(name, { state: 'locked' }), recordings: ['cam1'], acts: [] };
    },
    holders: async () => [],
    ...changes.closing,
  };
  const leases: VolumeLeasesPart = {
    list: async () => [],
    add: async (name, { path = 'consumers/x', ...options }) => {
      note('lease', name, { path, ...options });
      return { ...options, path, createdAt: null, state: 'mounted', mountPoint: '/mount/leases/main/x' };
    },
    remove: async (name, consumer) => {
      note('unlease', name, consumer);
      return consumer !== 'gone';
    },
  };
  const growth: VolumeGrowPart = {
    grow: async (name, size = 2 ** 31) => {
      note('grow', name, { size });
      const grown = { from: 1 << 30, to: size, filesystem: 'grown' as const, filesystemSize: size, reason: null };
      return { volume: volume(name, { size }), grown };
    },
  };
  const state = {
    type: 'luks2' as const,
    uuid: 'u',
    copies: [{ place: 'primary' as const, sequence: '3', problem: null }],
  };
  const listed = { places: ['/a/headers'], backups: [] };
  const volumeHeaders: VolumeHeadersPart = {
    list: async () => listed,
    backUp: async (name) => {
      note('header-backup', name);
      return { ...listed, removedFiles: 1 };
    },
    compare: async (name, backup) => {
      note('header-compare', name, { backup });
      const keyslots = { both: [0], containerOnly: [], backupOnly: [] };
      return { backupName: 'b', same: true, container: state, backup: state, keyslots, differences: [] };
    },
    check: async () => ({
      ...{ container: '/c', state, size: 1, leastSize: 1, registeredSize: 1, backups: [], ok: true, problems: [] },
    }),
    restore: async (name, options) => {
      note('header-restore', name, options);
      return { restored: 'b', replaced: 'r', bytes: 1, keyslots: { broughtBack: [], takenAway: [] } };
    },
    repair: async (name) => {
      note('header-repair', name);
      return { repaired: true, before: state, after: state };
    },
  };
  const volumeDestroy: VolumeDestroyPart = {
    destroy: async (name, confirm) => {
      note('destroy', name, { confirm });
      return {
        ...{ name, container: '/c', uuid: null, resumed: false, keyslots: [0], headerBytes: 1, keyFile: null },
        ...{ backups: { files: 2, bytes: 2 }, containerBytes: 1, mountPoint: null, notes: [], notGuaranteed: ['x'] },
      };
    },
  };
  const autoOpen = { autoOpen: true, held: false, last: null, retryAt: null };
  const unlock: VolumeUnlockPart = {
    status: async () => autoOpen,
    set: async (name, on) => {
      note('auto-open', name, on);
      return { ...autoOpen, autoOpen: on };
    },
    tangKeys: async (url) => ({ url, thumbprints: ['A'.repeat(43)] }),
    bind: async (name, to, current) => {
      note('bind', name, to, current);
      return { slot: 1, added: true, binding: to.pin };
    },
    unbind: async (name, slot, current) => {
      note('unbind', name, slot, current);
      return { slot, keyFileRemoved: false };
    },
  };
  const keys: VolumeKeysPart = {
    list: async () => ({ type: 'luks2', reencrypting: false, keys: [] }),
    add: async (name, key, current) => {
      note('key add', name, key === 'keyFile' ? key : key.toString('latin1'), current);
      return { slot: 1, added: true, removed: [] };
    },
    change: async (name, old, fresh) => {
      note('key change', name, old.toString('latin1'), fresh);
      return { slot: 2, added: true, removed: [1], left: [2] };
    },
    remove: async (name, target, current) => {
      note('key remove', name, typeof target === 'number' ? target : target.toString('latin1'), current);
      return { slot: 1, keyFileRemoved: false };
    },
    rotate: async (name) => {
      note('key rotate', name);
      return { slot: 1, added: true, removed: [0] };
    },
    recovery: async (name, current) => {
      note('key recovery', name, undefined, current);
      seen.secrets.push(recoveryKey);
      return recoveryKey;
    },
  };
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
  const reencryption: ReencryptPart = {
    status: async () => ({ state: 'none', progress: null, problem: null }),
    begin: async (name, options, current) => {
      note('reencrypt', name, options, current);
      return { state: 'running', progress: null, problem: null };
    },
    resume: async (name, current) => {
      note('reencrypt resume', name, undefined, current);
      return { state: 'running', progress: null, problem: null };
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
      return { reel, records: 1, indexed: 188, cutBytes: 0, added: 1 };
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
  const recoveryKey = Buffer.from('marked-recovery-key');
  const stream = (name: string): StreamView => ({
    name,
    volume: 'main',
    segmentMs: 4000,
    evidence: false,
    preRecordSeconds: 0,
    publishing: false,
    recording: false,
    wanted: { record: true, by: 'always' as const, reason: '', since: null, until: null },
    order: null,
    schedule: null,
    kept: { bytes: 0, since: null },
    session: null,
    failure: null,
  });
  const streams = {
    list: async () => [stream('cam')],
    get: async (name: string) => stream(name),
    put: async (name: string, change: object) => ({ ...stream(name), ...change }),
    order: async (name: string, order: object) => {
      note('order', name, order);
      return stream(name);
    },
    gaps: async () => [{ from: 10, to: 20, reasons: ['ordered-off' as const] }],
    schedule: async (name: string, schedule: object | null) => {
      note('schedule', name, schedule);
      return stream(name);
    },
    delete: async (name: string): Promise<DeletedStream> => {
      note('delete', name);
      return { name, volume: 'main', recordings: 'kept' };
    },
  };
  const ingest: FastifyPluginAsync = async (scope) => {
    scope.put('/ingest/:stream', async (request) => ({ caller: request.caller }));
  };
  const playback: FastifyPluginAsync = async (scope) => {
    scope.get('/:stream/index.m3u8', async () => '#EXTM3U');
    scope.get('/:stream/broken.ts', async () => {
      throw new ReelError('io-error', {
        expected: 'to read /mount/main/dvr/x.ts',
        got: 'EIO',
        details: { path: '/mount/main' },
      });
    });
    scope.get('/:stream/defect.ts', async () => {
      throw new Error('ENOENT /srv/secret-place/file');
    });
  };
  const recorded: AuditFacts[] = [];
  const trail: AuditPart['trail'] = {
    record: async (facts) => void recorded.push(facts),
    newest: async () => [],
    verify: async () => ({ whole: true, entries: 0, from: null, last: null, problem: null }),
  };
  const bus = new EventBus({ now: Date.now, log: pino({ level: 'silent' }), keep: 100 });
  const lines: string[] = [];
  const local = new WeakSet<object>();
  const app = await buildApp({
    now: changes.now ?? Date.now,
    logger: pino(
      { level: 'trace' },
      new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          lines.push(chunk.toString());
          done();
        },
      }),
    ),
    auth: new BasicAuth({ account, now: Date.now, attempts: changes.attempts ?? 1000 }),
    tickets: new TicketOffice({ now: Date.now }),
    volumes,
    closing,
    leases,
    volumeHeaders,
    volumeDestroy,
    keys,
    unlock,
    growth,
    retention,
    episodes,
    archiveCatalog,
    archiveCheck,
    evidenceKeys,
    reencryption,
    streams,
    audit: { trail: changes.trail ?? trail, peerOf: () => ({ uid: 0, pid: 4712 }) },
    events: { bus, heartbeatMs: 20, maxBytes: 64 * 1024 },
    webhook: {
      test: async () => {
        note('events test', '');
        return [{ endpoint: 'https://a', delivered: true, status: 204, problem: null, ms: 1 }];
      },
    },
    health: async () => ({ helper: { up: true, details: { pid: 4711 } }, writer: { up: false, details: {} } }),
    metrics:
      changes.metrics ??
      (() => ({
        volumes: [],
        streams: [],
        durableLag: durableLagHistogram(),
        streamsOff: [],
        preRecordBytes: 0,
        retention: [],
        unsigned: [],
        clock: { jumps: 0, stops: 0 },
        auditEntries: 0,
        eventListeners: 0,
        webhooks: [],
      })),
    ingest,
    playback,
    local,
  });
  return { app, seen, lines, local, bus, recorded };
};
