/** The application with its real rules and stand-ins for what lies behind the routes, which records what reaches it. */
import { Writable } from 'node:stream';
import pino from 'pino';
import type { AuditFacts } from '../../src/audit/chain.ts';
import { BasicAuth } from '../../src/auth/basic.ts';
import { hashPassword } from '../../src/auth/password.ts';
import { AccessControl } from '../../src/auth/rules/control.ts';
import { TicketOffice } from '../../src/auth/tickets.ts';
import { EventBus } from '../../src/events/bus.ts';
import { buildApp } from '../../src/http/app.ts';
import type { AuditPart } from '../../src/http/audit.ts';
import type { ConfigPart } from '../../src/http/config.ts';
import { durableLagHistogram } from '../../src/http/durable-lag.ts';
import type { MetricsPart } from '../../src/http/metrics.ts';
import type { VolumeLockPart } from '../../src/http/volume-lock.ts';
import type { VolumesPart } from '../../src/http/volumes.ts';
import { archiveStandIn } from './stand-ins/archive.ts';
import { configStandIn } from './stand-ins/config.ts';
import { Seen } from './stand-ins/seen.ts';
import { streamsStandIn } from './stand-ins/streams.ts';
import { volumeKeysStandIn } from './stand-ins/volume-keys.ts';
import { volumesStandIn } from './stand-ins/volumes.ts';

export const password = 'marked-password-7461';
export const signedIn = { authorization: `Basic ${Buffer.from(`admin:${password}`).toString('base64')}` };
const account = { version: 1 as const, user: 'admin', password: await hashPassword(password) };

export const standIn = async (
  changes: {
    trail?: AuditPart['trail'];
    volumes?: Partial<VolumesPart>;
    closing?: Partial<VolumeLockPart>;
    attempts?: number;
    now?: () => number;
    metrics?: MetricsPart;
    config?: ConfigPart;
    /** Access rules; none without. */
    rules?: object;
    files?: string;
    idleMs?: number;
  } = {},
) => {
  const seen = new Seen();
  const { volumes, closing, ...ofVolumes } = volumesStandIn(seen);
  const recorded: AuditFacts[] = [];
  const trail: AuditPart['trail'] = {
    record: async (facts) => void recorded.push(facts),
    newest: async () => [],
    verify: async () => ({ whole: true, entries: 0, from: null, last: null, problem: null }),
  };
  const bus = new EventBus({ now: Date.now, log: pino({ level: 'silent' }), keep: 100 });
  const lines: string[] = [];
  const local = new WeakSet<object>();
  const tickets = new TicketOffice({ now: Date.now });
  const log = pino({ level: 'silent' });
  const control = new AccessControl({
    rules: changes.rules ?? {},
    ...{ account, tickets, log, now: Date.now },
    files: changes.files ?? '/nonexistent',
    attempts: changes.attempts ?? 1000,
    ...(changes.idleMs === undefined ? {} : { idleMs: changes.idleMs }),
  });
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
    tickets,
    control,
    volumes: { ...volumes, ...changes.volumes },
    closing: { ...closing, ...changes.closing },
    ...ofVolumes,
    ...volumeKeysStandIn(seen),
    ...archiveStandIn(seen),
    ...streamsStandIn(seen),
    config: changes.config ?? configStandIn(seen),
    audit: { trail: changes.trail ?? trail, peerOf: () => ({ uid: 0, pid: 4712 }) },
    events: { bus, heartbeatMs: 20, maxBytes: 64 * 1024 },
    webhook: {
      test: async () => {
        seen.note('events test', '');
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
        config: { wrong: false, onTrial: false, waiting: 0 },
        eventListeners: 0,
        webhooks: [],
      })),
    local,
  });
  return { app, seen, lines, local, bus, recorded, control };
};
