/** The audit trail of the daemon: its start, and what it records that nobody asked for. */
import type { FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { AuditTrail } from '../audit/trail.ts';
import type { EventBus, ServiceEvent } from '../events/bus.ts';
import { descriptorOf } from '../exec/raw-socket.ts';
import { directConnectionOf } from '../ingest/direct-connection.ts';
import { peerCredentials } from '../native.ts';

/** Process and user at the other end of the admin socket; empty where the caller has gone already. */
export const peerOfRequest = ({ raw }: FastifyRequest): Readonly<Record<string, unknown>> => {
  try {
    const { pid, uid } = peerCredentials(descriptorOf(directConnectionOf(raw)?.socket ?? raw.socket));
    return { uid, pid };
  } catch {
    return {};
  }
};

/** What the service does to a volume by itself, what becomes of an archive and of the configuration: here with the values that a request leaves out. */
const isAutomatic = ({ type, facts }: ServiceEvent): boolean =>
  type.startsWith('archive.') ||
  type === 'config.changed' ||
  type === 'config.rolled-back' ||
  type === 'volume.paused' ||
  type === 'volume.resumed' ||
  (type === 'volume.state' && facts.state === 'failed');

/** A trail that cannot be written keeps nobody from starting: acts other than locking are refused then, with the reason. */
export const beginAudit = async (trail: AuditTrail, bus: EventBus, log: Logger): Promise<void> => {
  const record = (act: string, what: Readonly<Record<string, unknown>>): Promise<void> =>
    trail
      .record({ act, phase: 'done', who: { kind: 'service' }, what, outcome: {}, requestId: null })
      .catch((err: unknown) =>
        log.error({ err, act, what }, 'an automatic act could not be recorded in the audit trail'),
      );
  await trail.start().catch((err: unknown) => log.error({ err }, 'the audit trail cannot be written'));
  await record('service.started', { pid: process.pid });
  bus.subscribe({
    onEvent: (event) => {
      if (isAutomatic(event)) void record(event.type, { volume: event.volume, ...event.facts });
    },
    onClose: () => void record('service.stopping', { pid: process.pid }),
  });
};
