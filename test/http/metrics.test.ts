/** GET /metrics, read back by the rules of the text format. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { durableLagHistogram } from '../../src/http/durable-lag.ts';
import { signedIn, standIn } from './support.ts';

const plane = {
  requests: { reads: 3, readBytes: 12288, writes: 2, writtenBytes: 8192, syncs: 1 },
  errors: { reads: 0, writes: 4, syncs: 0, last: 'EIO' },
  refused: { ioFlusher: 'EPERM' },
};
const unknown = { conditions: [], capacity: null, allocated: null, hostFree: null, plane: null };
const durableLag = durableLagHistogram();
for (const seconds of [0.3, 0.3, 1.6]) durableLag.observe(seconds);
const { app } = await standIn({
  metrics: () => ({
    volumes: [
      { name: 'main', state: 'open', conditions: ['host-space'], capacity: 1000, allocated: 600, hostFree: 50, plane },
      { ...unknown, name: 'other', state: 'open' },
      { ...unknown, name: 'third', state: 'locked' },
    ],
    streams: [
      {
        stream: 'cam"1',
        recording: true,
        publishing: true,
        segments: 7,
        bytes: 7000,
        transport: { packets: 90, continuityErrors: 2, packetBytes: 192 },
        lag: { durableLagMs: 4500, heldBack: true, queued: 800 },
        dropped: 77,
      },
      {
        stream: 'cam2',
        recording: false,
        publishing: true,
        segments: 1,
        bytes: 10,
        transport: undefined,
        lag: undefined,
        dropped: 0,
      },
    ],
    preRecordBytes: 65_536,
    streamsOff: [{ stream: 'cam2', by: 'order' }],
    durableLag,
    retention: [
      {
        volume: 'main',
        purged: { age: { reels: 3, bytes: 300 } },
        held: [{ stream: 'cam2', bytes: 4000 }],
        short: 5,
        wantedFreeBytes: 70,
        problem: 'purge-too-large',
      },
    ],
    unsigned: [{ volume: 'main', stream: 'cam2', code: 'io-error' }],
    clock: { jumps: 1, stops: 2 },
    auditEntries: 12,
    config: { wrong: false, onTrial: false, waiting: 0 },
    eventListeners: 2,
    webhooks: [
      {
        ...{
          endpoint: 'https://a:8443',
          state: 'failing',
          queued: 3,
          queuedBytes: 900,
          delivered: 5,
          failedAttempts: 4,
        },
        dropped: { overflow: 6, refused: 0, closed: 0 },
      },
    ],
  }),
});
after(() => app.close());

/** Series by name and labels as they stand there; every line must be a comment or a sample, each name with one HELP and one TYPE. */
const parse = (text: string) => {
  assert.ok(text.endsWith('\n'));
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of text.trimEnd().split('\n').filter(Boolean)) {
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      assert.ok(!types.has(String(type[1])), `a second TYPE of ${type[1]}`);
      types.set(String(type[1]), String(type[2]));
      continue;
    }
    if (/^# HELP [a-z_]+ \S/.test(line)) continue;
    const sample = /^([a-z_]+)((?:\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})?) (-?[0-9.e+]+)$/.exec(line);
    assert.ok(sample !== null, `not a sample: ${line}`);
    const name = String(sample[1]);
    const ofHistogram = types.get(name.replace(/_(bucket|sum|count)$/, '')) === 'histogram';
    assert.ok(types.has(name) || ofHistogram, `no TYPE before ${line}`);
    samples.set(`${sample[1]}${sample[2]}`, Number(sample[3]));
  }
  return { samples, types };
};

test('the numbers are there in the text format, and what is not known has no series', async () => {
  const answer = await app.inject({ url: '/metrics', headers: signedIn });
  assert.equal(answer.statusCode, 200);
  assert.match(String(answer.headers['content-type']), /^text\/plain; version=0\.0\.4/);
  const { samples, types } = parse(answer.body);
  const wanted = {
    'volumes{state="open"}': 2,
    'volumes{state="locked"}': 1,
    'volume_state{volume="third",state="locked"}': 1,
    'volume_condition{volume="main",kind="host-space"}': 1,
    'volume_capacity_bytes{volume="main"}': 1000,
    'volume_allocated_bytes{volume="main"}': 600,
    'volume_host_available_bytes{volume="main"}': 50,
    'luksblock_requests_total{volume="main",kind="writtenBytes"}': 8192,
    'luksblock_errors_total{volume="main",kind="writes"}': 4,
    'luksblock_refused{volume="main",kind="ioFlusher"}': 1,
    streams_recording: 1,
    streams_publishing: 2,
    pre_record_bytes: 65_536,
    'stream_recording_off{stream="cam2",by="order"}': 1,
    'segments_durable_total{stream="cam\\"1"}': 7,
    'durable_bytes_total{stream="cam2"}': 10,
    'durable_lag_seconds_bucket{le="0.25"}': 0,
    'durable_lag_seconds_bucket{le="0.5"}': 2,
    'durable_lag_seconds_bucket{le="1.5"}': 2,
    'durable_lag_seconds_bucket{le="1.75"}': 3,
    'durable_lag_seconds_bucket{le="+Inf"}': 3,
    durable_lag_seconds_count: 3,
    'archive_purged_reels_total{volume="main",rule="age"}': 3,
    'archive_purged_bytes_total{volume="main",rule="age"}': 300,
    'archive_bytes{volume="main",stream="cam2"}': 4000,
    'retention_short_bytes{volume="main"}': 5,
    'retention_wanted_free_bytes{volume="main"}': 70,
    'retention_stopped{volume="main",code="purge-too-large"}': 1,
    'archive_unsigned{volume="main",stream="cam2",code="io-error"}': 1,
    'stream_transport_total{stream="cam\\"1",kind="packets"}': 90,
    'stream_transport_total{stream="cam\\"1",kind="continuityErrors"}': 2,
    'stream_packet_bytes{stream="cam\\"1"}': 192,
    'stream_durable_lag_seconds{stream="cam\\"1"}': 4.5,
    'stream_queued_bytes{stream="cam\\"1"}': 800,
    'stream_held_back{stream="cam\\"1"}': 1,
    'stream_dropped_bytes_total{stream="cam\\"1"}': 77,
    clock_jumps_total: 1,
    service_stalls_total: 2,
    audit_entries_total: 12,
    event_listeners: 2,
    'webhook_failing{endpoint="https://a:8443"}': 1,
    'webhook_queued_events{endpoint="https://a:8443"}': 3,
    'webhook_queued_bytes{endpoint="https://a:8443"}': 900,
    'webhook_delivered_total{endpoint="https://a:8443"}': 5,
    'webhook_failed_attempts_total{endpoint="https://a:8443"}': 4,
    'webhook_dropped_total{endpoint="https://a:8443",reason="overflow"}': 6,
  };
  for (const [name, value] of Object.entries(wanted)) assert.equal(samples.get(`reelvault_${name}`), value, name);
  assert.equal(types.get('reelvault_durable_bytes_total'), 'counter');
  assert.equal(types.get('reelvault_volume_capacity_bytes'), 'gauge');
  assert.equal(samples.has('reelvault_volume_capacity_bytes{volume="other"}'), false);
});

test('a second scrape does not add to the first', async () => {
  const [first, second] = [
    await app.inject({ url: '/metrics', headers: signedIn }),
    await app.inject({ url: '/metrics', headers: signedIn }),
  ];
  assert.equal(first.body, second.body);
});

test('it is for the admin', async () => {
  assert.equal((await app.inject({ url: '/metrics' })).statusCode, 401);
});
