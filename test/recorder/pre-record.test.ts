/** A recording begins before its order: with what was kept, from a keyframe on, at the times it came. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gapReasonsOf } from '../../src/archive/gap-reasons.ts';
import { endUs, hasFlag, isGap } from '../../src/archive/segment.ts';
import { segmentFlags } from '../../src/native.ts';
import { clip } from '../ingest/clip.ts';
import { Host } from '../ingest/host.ts';

const hour = Date.UTC(2026, 10, 21, 14);

/** `off`, some seconds of a publisher in real time, `on`, some more; what was recorded, and what was sent. */
const run = async (params: { from: number; kept: number; off: number; on: number; standbyBytes?: number }) => {
  let now = params.from;
  const { standbyBytes } = params;
  const host = await Host.start({
    now: () => now,
    elapsed: () => now,
    ...(standbyBytes === undefined ? {} : { standbyBytes }),
  });
  try {
    const { bytes } = await clip(40);
    const step = Math.floor(bytes.length / 400 / 188) * 188;
    let at = 0;
    await host.recorder.put('cam', { preRecordSeconds: params.kept });
    await host.recorder.order('cam', { mode: 'off' });
    const session = await host.recorder.openSession('cam', 'test');
    const send = (seconds: number): void => {
      for (let count = 0; count < seconds * 10; count += 1) {
        session.append(bytes.subarray(at, at + step));
        at += step;
        now += 100;
      }
    };
    send(params.off);
    const { kept } = host.recorder.status('cam');
    const orderedAt = now;
    host.recorder.once('turned', () => send(1)); // while it is being opened
    await host.recorder.order('cam', { mode: 'on' });
    send(params.on);
    const summary = await session.finish();
    const parts = await Array.fromAsync(host.recorder.archive('cam').parts('cam', 0, Number.MAX_SAFE_INTEGER));
    const segments = parts.flatMap((part) => part.reel.slice(part.first, part.end));
    assert.equal(summary.segments, segments.length);
    return {
      segments,
      recorded: host.recorded('cam'),
      sent: bytes.subarray(0, at),
      kept,
      orderedAt,
      hours: parts.length,
    };
  } finally {
    await host.stop();
  }
};

test('it begins with a keyframe before the order, and holds every byte from there on', async () => {
  const { segments, recorded, sent, kept, orderedAt } = await run({ from: hour + 600_000, kept: 5, off: 20, on: 5 });
  const [first] = segments;
  assert.ok(first !== undefined && hasFlag(first, segmentFlags.keyframe) && hasFlag(first, segmentFlags.tables));
  assert.ok(recorded.equals(sent.subarray(sent.length - recorded.length)), 'nothing is missing or doubled');
  const before = orderedAt - first.startUs / 1000;
  assert.ok(before >= 5000 && before < 7500, `${before} ms before the order`);
  assert.equal(Math.round(first.startUs / 1000), kept.since);
  for (const [place, segment] of segments.entries()) {
    const former = segments[place - 1];
    assert.ok(former === undefined || !isGap(endUs(former), segment.startUs), 'no time is missing');
    assert.ok(place === 0 || !hasFlag(segment, segmentFlags.discontinuity));
  }
});

test('without seconds to keep it begins at the order', async () => {
  const { segments, orderedAt, kept, recorded, sent } = await run({ from: hour + 600_000, kept: 0, off: 5, on: 5 });
  assert.deepEqual(kept, { bytes: 0, since: null });
  assert.equal(Math.round((segments[0]?.startUs ?? 0) / 1000), orderedAt);
  assert.ok(recorded.equals(sent.subarray(sent.length - recorded.length)));
});

test('what is kept from before the turn of the hour goes into the hour it came in', async () => {
  const { segments, hours, recorded, sent } = await run({ from: hour - 8000, kept: 5, off: 10, on: 5 });
  assert.equal(hours, 2);
  assert.ok((segments[0]?.startUs ?? 0) < hour * 1000);
  assert.ok(recorded.equals(sent.subarray(sent.length - recorded.length)));
});

test('a memory that is too small keeps less, and loses nothing of what follows', async () => {
  const { kept, recorded, sent } = await run({
    ...{ from: hour + 600_000, kept: 20, off: 25, on: 5 },
    standbyBytes: 1024 * 1024,
  });
  assert.ok(kept.bytes > 0 && kept.bytes <= 1024 * 1024);
  assert.ok(recorded.equals(sent.subarray(sent.length - recorded.length)));
});

test('it never begins before what was recorded last, and the gap that is left says why', async () => {
  let now = hour + 600_000;
  const host = await Host.start({ now: () => now, elapsed: () => now });
  try {
    const { bytes } = await clip(40);
    const step = Math.floor(bytes.length / 400 / 188) * 188;
    await host.recorder.put('cam', { preRecordSeconds: 10 });
    const session = await host.recorder.openSession('cam', 'test');
    let at = 0;
    const send = (seconds: number): void => {
      for (let count = 0; count < seconds * 10; count += 1) {
        session.append(bytes.subarray(at, at + step));
        at += step;
        now += 100;
      }
    };
    send(3);
    await host.recorder.order('cam', { mode: 'off' });
    send(4);
    await host.recorder.order('cam', { mode: 'on' });
    send(2);
    await host.recorder.order('cam', { mode: 'off' });
    send(20);
    await host.recorder.order('cam', { mode: 'on' });
    send(2);
    await session.finish();
    const parts = await Array.fromAsync(host.recorder.archive('cam').parts('cam', 0, Number.MAX_SAFE_INTEGER));
    const segments = parts.flatMap((part) => part.reel.slice(part.first, part.end));
    const gaps = segments.flatMap((segment, place) => {
      const former = segments[place - 1];
      if (former === undefined) return [];
      assert.ok(segment.startUs >= endUs(former) - 1, 'time never overlaps');
      return isGap(endUs(former), segment.startUs)
        ? [{ ms: (segment.startUs - endUs(former)) / 1000, flags: segment.flags }]
        : [];
    });
    assert.ok(gaps.length >= 1 && gaps.length <= 2);
    for (const gap of gaps) assert.deepEqual(gapReasonsOf(gap.flags), ['ordered-off']);
    assert.ok((gaps.at(-1)?.ms ?? 0) < 11_000);
    assert.ok(gaps.length === 1 || (gaps[0]?.ms ?? 0) < 1500, 'up to the next keyframe');
  } finally {
    await host.stop();
  }
});
