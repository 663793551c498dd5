/** GET /metrics: numbers for Prometheus and what reads its text format. docs/metrics.md lists them. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Counter, Gauge, type Histogram, Registry } from 'prom-client';
import Type from 'typebox';
import { errorAnswers } from './error-handler.ts';

export interface VolumeMetrics {
  readonly name: string;
  readonly state: string;
  /** Kinds of the conditions that hold now. */
  readonly conditions: readonly string[];
  /** Bytes of the container; null where that is not known, as for everything below. */
  readonly capacity: number | null;
  /** Bytes that the container takes up on its filesystem, and bytes that are free there. */
  readonly allocated: number | null;
  readonly hostFree: number | null;
  /** The status line of the block plane as the helper read it last; null for the kernel engine and while closed. */
  readonly plane: Readonly<Record<string, unknown>> | null;
}

export interface MetricsFacts {
  readonly volumes: readonly VolumeMetrics[];
  readonly streams: readonly {
    readonly stream: string;
    readonly recording: boolean;
    readonly publishing: boolean;
    /** Durable since the start of the service. */
    readonly segments: number;
    readonly bytes: number;
    /** What the parser counted in the session that runs. */
    readonly transport: Readonly<Record<string, number>> | undefined;
    /** Of that session. */
    readonly lag: StreamLag | undefined;
    /** Bytes, since the start of the service. */
    readonly dropped: number;
  }[];
  /** Memory in use for what is not recorded. */
  readonly preRecordBytes: number;
  /** Those that are not to be recorded, and what says so. */
  readonly streamsOff: readonly { readonly stream: string; readonly by: string }[];
  /** Of all segments since the start of the service. */
  readonly durableLag: Histogram;
  /** One an open volume. */
  readonly retention: readonly RetentionMetrics[];
  readonly unsigned: readonly UnsignedMetrics[];
  readonly clock: { readonly jumps: number; readonly stops: number };
  /** Number of the newest entry of the audit trail. */
  readonly auditEntries: number;
  readonly eventListeners: number;
  /** One a receiver; none where nothing is posted. */
  readonly webhooks: readonly WebhookMetrics[];
  /** Of the configuration file. */
  readonly config: { readonly wrong: boolean; readonly onTrial: boolean; readonly waiting: number };
}

export interface StreamLag {
  readonly durableLagMs: number;
  readonly heldBack: boolean;
  readonly queued: number;
}

export interface RetentionMetrics {
  readonly volume: string;
  /** Since the volume was opened, by rule. */
  readonly purged: Readonly<Record<string, { readonly reels: number; readonly bytes: number }>>;
  /** As of the last pass. */
  readonly held: readonly { readonly stream: string; readonly bytes: number }[];
  readonly short: number;
  readonly wantedFreeBytes: number;
  /** Code of the error that keeps anything from being deleted. */
  readonly problem: string | null;
}

/** A stream whose evidence waits for its signature. */
export interface UnsignedMetrics {
  readonly volume: string;
  readonly stream: string;
  /** Code of the error that it is tried again after. */
  readonly code: string;
}

export interface WebhookMetrics {
  readonly endpoint: string;
  readonly state: string;
  readonly queued: number;
  readonly queuedBytes: number;
  readonly delivered: number;
  readonly failedAttempts: number;
  /** By reason. */
  readonly dropped: Readonly<Record<string, number>>;
}

/** Must answer at once, from memory: a scrape that waits for a disk would itself be the alarm. */
export type MetricsPart = () => MetricsFacts;

const numbersOf = (value: unknown): [string, number][] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    : [];

/** Made anew for each scrape: what is gone leaves no series behind. */
const registryOf = ({
  volumes,
  streams,
  streamsOff,
  preRecordBytes,
  durableLag,
  retention,
  unsigned,
  clock,
  auditEntries,
  eventListeners,
  webhooks,
  config,
}: MetricsFacts): Registry => {
  const registers = [new Registry()];
  const gauge = (name: string, help: string, ...labelNames: string[]) =>
    new Gauge({ name: `reelvault_${name}`, help, labelNames, registers });
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name: `reelvault_${name}`, help, labelNames, registers });

  const state = gauge('volume_state', 'the state of each volume, always 1', 'volume', 'state');
  const inState = gauge('volumes', 'volumes by state', 'state');
  const condition = gauge('volume_condition', 'what is not as it should be, 1 while it holds', 'volume', 'kind');
  const capacity = gauge('volume_capacity_bytes', 'size of the container', 'volume');
  const allocated = gauge('volume_allocated_bytes', 'what the container takes up on its filesystem', 'volume');
  const hostFree = gauge('volume_host_available_bytes', 'free on the filesystem of the container', 'volume');
  const requests = counter('luksblock_requests_total', 'requests and bytes that succeeded', 'volume', 'kind');
  const errors = counter('luksblock_errors_total', 'requests that failed', 'volume', 'kind');
  const refused = gauge('luksblock_refused', 'what the machine refused to the block plane, 1 each', 'volume', 'kind');
  for (const volume of volumes) {
    const labels = { volume: volume.name };
    state.set({ ...labels, state: volume.state }, 1);
    inState.inc({ state: volume.state });
    for (const kind of volume.conditions) condition.set({ ...labels, kind }, 1);
    if (volume.capacity !== null) capacity.set(labels, volume.capacity);
    if (volume.allocated !== null) allocated.set(labels, volume.allocated);
    if (volume.hostFree !== null) hostFree.set(labels, volume.hostFree);
    for (const [kind, count] of numbersOf(volume.plane?.requests)) requests.inc({ ...labels, kind }, count);
    for (const [kind, count] of numbersOf(volume.plane?.errors)) errors.inc({ ...labels, kind }, count);
    for (const kind of Object.keys(volume.plane?.refused ?? {})) refused.set({ ...labels, kind }, 1);
  }

  const recording = gauge('streams_recording', 'streams that are recorded now');
  const publishing = gauge('streams_publishing', 'streams that somebody sends now, recorded or not');
  const off = gauge('stream_recording_off', '1 while the stream is not to be recorded', 'stream', 'by');
  gauge('pre_record_bytes', 'memory that what is not recorded takes up').set(preRecordBytes);
  for (const { stream, by } of streamsOff) off.set({ stream, by }, 1);
  const segments = counter('segments_durable_total', 'segments on disk since the start of the service', 'stream');
  const bytes = counter('durable_bytes_total', 'bytes of those segments', 'stream');
  const transport = counter('stream_transport_total', 'what the running session sent, by kind', 'stream', 'kind');
  const packetBytes = gauge('stream_packet_bytes', 'length of a transport packet', 'stream');
  const lag = gauge('stream_durable_lag_seconds', 'age of the oldest byte that is not durable', 'stream');
  const waiting = gauge('stream_queued_bytes', 'bytes in memory on their way to the disk', 'stream');
  const droppedBytes = counter('stream_dropped_bytes_total', 'not recorded because the disk was too slow', 'stream');
  const heldBack = gauge('stream_held_back', '1 while the publisher is to wait for the disk', 'stream');
  for (const each of streams) {
    droppedBytes.inc({ stream: each.stream }, each.dropped);
    if (each.lag !== undefined) {
      lag.set({ stream: each.stream }, each.lag.durableLagMs / 1000);
      waiting.set({ stream: each.stream }, each.lag.queued);
      heldBack.set({ stream: each.stream }, each.lag.heldBack ? 1 : 0);
    }
    const { packetBytes: length, ...counted } = each.transport ?? {};
    for (const [kind, count] of numbersOf(counted)) transport.inc({ stream: each.stream, kind }, count);
    if (length !== undefined) packetBytes.set({ stream: each.stream }, length);
    if (each.recording) recording.inc();
    if (each.publishing) publishing.inc();
    segments.inc({ stream: each.stream }, each.segments);
    bytes.inc({ stream: each.stream }, each.bytes);
  }

  registers[0]?.registerMetric(durableLag);

  const purgedReels = counter('archive_purged_reels_total', 'reels that were deleted', 'volume', 'rule');
  const purgedBytes = counter('archive_purged_bytes_total', 'their bytes', 'volume', 'rule');
  const held = gauge('archive_bytes', 'what a stream holds, as of the last pass of retention', 'volume', 'stream');
  const short = gauge('retention_short_bytes', 'what should be free and nothing may be deleted for', 'volume');
  const wanted = gauge('retention_wanted_free_bytes', 'what retention keeps free', 'volume');
  const stopped = gauge(
    'retention_stopped',
    '1 while nothing is deleted, with the code of the error',
    'volume',
    'code',
  );
  for (const { volume, ...each } of retention) {
    for (const [rule, sum] of Object.entries(each.purged)) {
      purgedReels.inc({ volume, rule }, sum.reels);
      purgedBytes.inc({ volume, rule }, sum.bytes);
    }
    for (const { stream, bytes: size } of each.held) held.set({ volume, stream }, size);
    short.set({ volume }, each.short);
    wanted.set({ volume }, each.wantedFreeBytes);
    if (each.problem !== null) stopped.set({ volume, code: each.problem }, 1);
  }
  const unsignedNow = gauge('archive_unsigned', '1 while evidence waits for its signature', 'volume', 'stream', 'code');
  for (const { volume, stream, code } of unsigned) unsignedNow.set({ volume, stream, code }, 1);
  counter('clock_jumps_total', 'how often the wall clock was set').inc(clock.jumps);
  counter('service_stalls_total', 'how often the service was stopped and went on').inc(clock.stops);
  counter('audit_entries_total', 'number of the newest entry of the audit trail').inc(auditEntries);
  gauge('event_listeners', 'parts and clients that listen to events').set(eventListeners);

  gauge('config_wrong', '1 while the configuration file is wrong and the one before holds').set(config.wrong ? 1 : 0);
  gauge('config_on_trial', '1 while a change of the configuration waits to be confirmed').set(config.onTrial ? 1 : 0);
  gauge('config_waiting', 'keys of the configuration that hold from the next start on').set(config.waiting);

  const failing = gauge('webhook_failing', '1 while the newest attempt at a receiver of events failed', 'endpoint');
  const queued = gauge('webhook_queued_events', 'events that wait for a receiver', 'endpoint');
  const queuedBytes = gauge('webhook_queued_bytes', 'their bytes', 'endpoint');
  const delivered = counter('webhook_delivered_total', 'events that a receiver took', 'endpoint');
  const attempts = counter('webhook_failed_attempts_total', 'attempts that failed', 'endpoint');
  const dropped = counter('webhook_dropped_total', 'events that a receiver never gets', 'endpoint', 'reason');
  for (const { endpoint, ...webhook } of webhooks) {
    failing.set({ endpoint }, webhook.state === 'failing' ? 1 : 0);
    queued.set({ endpoint }, webhook.queued);
    queuedBytes.set({ endpoint }, webhook.queuedBytes);
    delivered.inc({ endpoint }, webhook.delivered);
    attempts.inc({ endpoint }, webhook.failedAttempts);
    for (const [reason, count] of Object.entries(webhook.dropped)) dropped.inc({ endpoint, reason }, count);
  }
  return registers[0] as Registry;
};

export const metricsRoutes: FastifyPluginAsyncTypebox<{ metrics: MetricsPart }> = async (app, { metrics }) => {
  app.get(
    '/metrics',
    {
      schema: {
        summary: 'Numbers in the Prometheus text format',
        tags: ['health'],
        response: { 200: Type.String({ description: 'text/plain; version=0.0.4' }), ...errorAnswers },
      },
    },
    async (_request, reply) => {
      const registry = registryOf(metrics());
      return reply
        .type(registry.contentType)
        .header('cache-control', 'no-store')
        .send(await registry.metrics());
    },
  );
};
