/** The numbers of GET /metrics, from what the parts know already: nothing is asked of a disk or a mount. */

import type { Retention } from '../archive/retention/retention.ts';
import type { AuditTrail } from '../audit/trail.ts';
import type { ConfigStore } from '../config/store.ts';
import type { EventBus } from '../events/bus.ts';
import type { Webhook } from '../events/webhook/webhook.ts';
import { durableLagHistogram } from '../http/durable-lag.ts';
import type { MetricsFacts, MetricsPart } from '../http/metrics.ts';
import type { Recorder } from '../recorder/recorder.ts';
import type { VolumeManager } from '../volume/manager/manager.ts';
import type { ClockWatch } from './clock-watch.ts';

export interface MetricsParams {
  readonly volumes: VolumeManager;
  readonly recorder: Recorder;
  readonly audit: AuditTrail;
  readonly events: EventBus;
  readonly webhook: Webhook | undefined;
  readonly config: Pick<ConfigStore, 'problems' | 'waiting' | 'trial'>;
  readonly retention: Pick<Retention, 'states'>;
  readonly clock: Pick<ClockWatch, 'counts'>;
  readonly unsigned: { readonly list: MetricsFacts['unsigned'] };
}

export const metricsPart = (params: MetricsParams): MetricsPart => {
  const { volumes, recorder, audit, events, webhook, config, retention, unsigned, clock } = params;
  const durable = new Map<string, { segments: number; bytes: number }>();
  const durableLag = durableLagHistogram();
  recorder.on('durable', (stream, segments, _volume, lagsMs) => {
    for (const lagMs of lagsMs) durableLag.observe(lagMs / 1000);
    const sum = durable.get(stream) ?? { segments: 0, bytes: 0 };
    sum.segments += segments.length;
    for (const { length } of segments) sum.bytes += length;
    durable.set(stream, sum);
  });
  return () => {
    const { counters, lags, droppedBytes, standbyBytes, notRecorded } = recorder.measures;
    const published = new Set(recorder.measures.published);
    return {
      volumes: volumes.list().map((view) => {
        const facts = volumes.watched(view.name);
        return {
          name: view.name,
          state: view.state,
          conditions: view.conditions.map(({ kind }) => kind),
          capacity: view.size,
          allocated: facts?.host?.file?.allocated ?? null,
          hostFree: facts?.host?.device === null ? facts.host.free : null,
          plane: facts?.plane?.status ?? null,
        };
      }),
      preRecordBytes: standbyBytes,
      streamsOff: notRecorded,
      streams: [...new Set([...durable.keys(), ...published])].map((stream) => ({
        stream,
        recording: recorder.isRecording(stream),
        publishing: published.has(stream),
        ...(durable.get(stream) ?? { segments: 0, bytes: 0 }),
        transport: { ...counters.get(stream) },
        lag: lags.get(stream),
        dropped: droppedBytes.get(stream) ?? 0,
      })),
      durableLag,
      retention: retention.states,
      unsigned: unsigned.list,
      clock: clock.counts,
      auditEntries: audit.entries,
      eventListeners: events.listeners,
      webhooks: webhook?.status() ?? [],
      config: {
        wrong: config.problems.length > 0,
        onTrial: config.trial !== undefined,
        waiting: config.waiting.length,
      },
    };
  };
};
