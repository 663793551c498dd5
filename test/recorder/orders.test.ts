/** Recording by order: a publisher stays while nothing of it is recorded, an order outlives everything, and the gap says why. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { gapReasonsOf } from '../../src/archive/gap-reasons.ts';
import { endUs, hasFlag, isGap, type Segment } from '../../src/archive/segment.ts';
import { ReelError } from '../../src/errors.ts';
import { segmentFlags } from '../../src/native.ts';
import { clip } from '../ingest/clip.ts';
import { Host, type HostOptions, until } from '../ingest/host.ts';

const at = Date.UTC(2026, 10, 21, 14, 10);
const is = (code: string) => (error: unknown) => error instanceof ReelError && error.code === code;
const directories: string[] = [];
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});
const newDirectory = (): string => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-orders-'));
  directories.push(directory);
  return directory;
};

/** A host with a clock of its own, and a publisher in real time by that clock. */
class Stage {
  nowMs = at;
  readonly host: Host;
  readonly bytes: Buffer;
  #sent = 0;

  private constructor(host: Host, bytes: Buffer) {
    this.host = host;
    this.bytes = bytes;
  }

  static async set(options: HostOptions = {}): Promise<Stage> {
    const clock = { stage: undefined as Stage | undefined };
    const host = await Host.start({ now: () => clock.stage?.nowMs ?? at, ...options });
    const stage = new Stage(host, (await clip(20)).bytes);
    clock.stage = stage;
    return stage;
  }

  get recorder() {
    return this.host.recorder;
  }

  publish(stream = 'cam') {
    this.#sent = 0;
    return this.recorder.openSession(stream, 'test');
  }

  /** The next seconds of the clip. */
  send(session: { append(bytes: Buffer): boolean }, seconds: number): void {
    const perSecond = Math.floor(this.bytes.length / 20 / 188) * 188;
    for (let step = 0; step < seconds * 5; step += 1) {
      const from = this.#sent;
      this.#sent += perSecond / 5;
      session.append(this.bytes.subarray(from, this.#sent));
      this.nowMs += 200;
    }
  }

  async segments(stream = 'cam'): Promise<Segment[]> {
    const parts = await Array.fromAsync(this.recorder.archive(stream).parts(stream, 0, Number.MAX_SAFE_INTEGER));
    return parts.flatMap((part) => part.reel.slice(part.first, part.end));
  }
}

/** Pairs of neighbours with time missing between them, and why. */
const gapsOf = (segments: readonly Segment[]): { seconds: number; reasons: string[] }[] =>
  segments.flatMap((segment, place) => {
    const former = segments[place - 1];
    if (former === undefined || !isGap(endUs(former), segment.startUs)) return [];
    return [{ seconds: Math.round((segment.startUs - endUs(former)) / 1e6), reasons: gapReasonsOf(segment.flags) }];
  });

test('off and on again: the publisher stays and is counted, what is not recorded is a gap by order, nothing else is lost', async () => {
  const stage = await Stage.set();
  const { recorder } = stage;
  try {
    const turns: unknown[] = [];
    recorder.on('turned', (stream, recording, volume) => turns.push([stream, recording, volume]));
    const session = await stage.publish();
    let failed = 0;
    session.onFailure = () => {
      failed += 1;
    };
    stage.send(session, 4);
    const off = await recorder.order('cam', { mode: 'off', reason: 'works' });
    assert.deepEqual(
      [off.publishing, off.recording, off.wanted.record, off.wanted.reason],
      [true, false, false, 'works'],
    );
    const before = await stage.segments();
    const recorded = before.reduce((sum, { length }) => sum + length, 0);
    assert.equal(
      recorded,
      recorder.status('cam').session?.received,
      'all of it is recorded when the order is answered',
    );
    assert.deepEqual([recorder.isRecording('cam'), recorder.recordings('main')], [false, []]);
    stage.send(session, 6);
    const counted = recorder.status('cam').session;
    assert.ok((counted?.counters.packets ?? 0) > 100);
    assert.equal(counted?.bytes, recorded);
    assert.ok((counted?.received ?? 0) > recorded);
    await assert.rejects(recorder.openSession('cam', 'other'), is('stream-busy'));
    const on = await recorder.order('cam', { mode: 'on' });
    assert.equal(on.recording, true);
    stage.send(session, 5);
    const summary = await session.finish();
    assert.equal(failed, 0);
    const segments = await stage.segments();
    assert.deepEqual(segments.slice(0, before.length), before, 'what was recorded before is as it was');
    assert.equal(summary.segments, segments.length);
    assert.equal(
      summary.bytes,
      segments.reduce((sum, { length }) => sum + length, 0),
    );
    assert.deepEqual(gapsOf(segments), [{ seconds: 6, reasons: ['ordered-off'] }]);
    assert.ok(hasFlag(segments[before.length] as Segment, segmentFlags.discontinuity));
    assert.deepEqual(turns, [
      ['cam', false, 'main'],
      ['cam', true, 'main'],
    ]);
  } finally {
    await stage.host.stop();
  }
});

test('no number is listed with two times or two segments while recordings end and begin in the middle of a playlist', async () => {
  const stage = await Stage.set({ liveSegments: 5, segmentMs: 1000 });
  try {
    const session = await stage.publish();
    const seen = new Map<number, string>();
    const look = async (): Promise<void> => {
      const answer = await fetch(stage.host.url('/cam/index.m3u8'));
      if (answer.status !== 200) return;
      const text = await answer.text();
      let number = Number(/MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1]);
      for (const [, time, name] of text.matchAll(/DATE-TIME:(\S+)\n#EXTINF:\S+\n(\S+)/g)) {
        const told = `${time} ${name}`;
        assert.equal(seen.get(number) ?? told, told, `number ${number}`);
        seen.set(number, told);
        number += 1;
      }
    };
    for (let round = 0; round < 3; round += 1) {
      stage.send(session, 2);
      await look();
      await stage.recorder.order('cam', { mode: 'off' });
      await look();
      stage.send(session, 1);
      await look();
      const on = stage.recorder.order('cam', { mode: 'on' });
      await look();
      await on;
      stage.send(session, 2);
      await look();
    }
    await session.finish();
    await look();
    assert.equal(seen.size, (await stage.segments()).length, 'each was seen under one number');
    assert.equal(Math.max(...seen.keys()) - Math.min(...seen.keys()) + 1, seen.size, 'without a hole');
  } finally {
    await stage.host.stop();
  }
});

test('an order for one that nobody publishes counts for the next publisher, and ends by itself', async () => {
  const stage = await Stage.set();
  const { recorder } = stage;
  try {
    await recorder.put('cam', {});
    await recorder.order('cam', { mode: 'off', until: at + 60_000, reason: 'night' });
    const session = await stage.publish();
    assert.equal(recorder.isRecording('cam'), false);
    stage.send(session, 2);
    assert.deepEqual(recorder.status('cam').wanted, {
      record: false,
      by: 'order',
      reason: 'night',
      since: at,
      until: at + 60_000,
    });
    recorder.lookAtClock();
    assert.equal(recorder.isRecording('cam'), false);
    stage.nowMs = at + 60_000;
    recorder.lookAtClock();
    await until('a recording', () => recorder.status('cam').recording);
    assert.equal((await recorder.get('cam')).order, null);
    await until('it to be under way', () => recorder.measures.counters.get('cam')?.packets === 0);
    stage.send(session, 2);
    // The clock is set back: the order holds again, for as long as it said.
    stage.nowMs = at + 30_000;
    recorder.lookAtClock();
    await until('its end', () => !recorder.status('cam').recording);
    const summary = await session.finish();
    assert.ok(summary.segments > 0);
  } finally {
    await stage.host.stop();
  }
});

test('an order for a stream that there is not, and one that is over before it begins, are refused', async () => {
  const stage = await Stage.set();
  try {
    await assert.rejects(stage.recorder.order('nobody', { mode: 'off' }), is('not-found'));
    await stage.recorder.put('cam', {});
    await assert.rejects(stage.recorder.order('cam', { mode: 'off', until: at }), is('invalid-argument'));
    assert.equal((await stage.recorder.get('cam')).order, null);
  } finally {
    await stage.host.stop();
  }
});

test('an order that cannot be kept is not followed', async () => {
  const stage = await Stage.set();
  const blocked = path.join(stage.host.directory, 'streams.json.new');
  try {
    const session = await stage.publish();
    stage.send(session, 1);
    mkdirSync(blocked);
    await assert.rejects(stage.recorder.order('cam', { mode: 'off' }));
    assert.equal(stage.recorder.isRecording('cam'), true);
    assert.equal((await stage.recorder.get('cam')).wanted.record, true);
    rmdirSync(blocked);
    await session.finish();
  } finally {
    await stage.host.stop();
  }
});

test('a stream that is off needs no open volume; one that is to be recorded there loses its publisher with the reason', async () => {
  const stage = await Stage.set();
  const { recorder } = stage;
  try {
    const session = await stage.publish();
    stage.send(session, 1);
    await recorder.order('cam', { mode: 'off' });
    await recorder.detachVolume('main', { drain: false });
    stage.send(session, 1);
    assert.equal(recorder.status('cam').publishing, true);
    const told = new Promise<ReelError>((resolve) => {
      session.onFailure = resolve;
    });
    const view = await recorder.order('cam', { mode: 'on' });
    assert.equal(view.wanted.record, true);
    assert.equal((await told).code, 'volume-state');
    await assert.rejects(session.finish(), is('volume-state'));
    await assert.rejects(recorder.openSession('cam', 'again'), is('volume-state'));
    await stage.host.attach();
    const next = await stage.publish();
    stage.send(next, 2);
    await next.finish();
    assert.deepEqual(
      gapsOf(await stage.segments()).map(({ reasons }) => reasons),
      [['ordered-off', 'locked']],
    );
  } finally {
    await stage.host.stop();
  }
});

test('a stop of the service and a drain leave no publisher behind that is not recorded', async () => {
  const stage = await Stage.set();
  await stage.recorder.put('cam', {});
  await stage.recorder.order('cam', { mode: 'off' });
  const session = await stage.publish();
  const told = new Promise<ReelError>((resolve) => {
    session.onFailure = resolve;
  });
  await stage.host.stop();
  assert.equal((await told).code, 'recording-stopped');
  assert.deepEqual(stage.recorder.measures.published, []);
});

test('what is published and not recorded must be a transport stream, too', async () => {
  const stage = await Stage.set();
  try {
    await stage.recorder.put('cam', {});
    await stage.recorder.order('cam', { mode: 'off' });
    const session = await stage.publish();
    session.append(Buffer.alloc(200_000));
    await assert.rejects(session.finish(), is('not-mpegts'));
    assert.equal(stage.recorder.status('cam').failure?.code, 'not-mpegts');
  } finally {
    await stage.host.stop();
  }
});

test('a gap that the order leaves a part of unexplained says so', async () => {
  const stage = await Stage.set();
  const { recorder } = stage;
  try {
    const first = await stage.publish();
    stage.send(first, 2);
    await first.finish();
    stage.nowMs += 60_000;
    await recorder.order('cam', { mode: 'off' });
    stage.nowMs += 60_000;
    await recorder.order('cam', { mode: 'on' });
    const second = await stage.publish();
    stage.send(second, 2);
    await second.finish();
    stage.nowMs += 60_000;
    const third = await stage.publish();
    stage.send(third, 2);
    await third.finish();
    assert.deepEqual(
      gapsOf(await stage.segments()).map(({ reasons }) => reasons),
      [['ordered-off', 'unexplained'], []],
      'a gap behind the order has nothing to do with it',
    );
  } finally {
    await stage.host.stop();
  }
});

test('gaps are listed with their ends and reasons, one that has not ended, too', async () => {
  const stage = await Stage.set();
  const { recorder } = stage;
  try {
    const session = await stage.publish();
    stage.send(session, 2);
    await recorder.order('cam', { mode: 'off' });
    stage.nowMs += 3_600_000;
    await recorder.order('cam', { mode: 'on' });
    stage.send(session, 2);
    const told = async (from: number, to: number) =>
      (await recorder.gaps('cam', from * 1000, to * 1000)).map(({ startUs, endUs: end, reasons }) => [
        Math.round((startUs / 1000 - at) / 1000),
        Math.round((end / 1000 - at) / 1000),
        ...reasons,
      ]);
    await until('something durable', async () => (await stage.segments()).at(-1)?.hour !== undefined);
    await recorder.order('cam', { mode: 'off' });
    stage.nowMs += 60_000;
    const first = [2, 3602, 'ordered-off'];
    const second = [3604, 3664, 'ordered-off'];
    assert.deepEqual(await told(at - 1000, stage.nowMs), [first, second]);
    assert.deepEqual(await told(at + 3_000_000, stage.nowMs), [first, second], 'from its beginning');
    assert.deepEqual(await told(at + 3_000_000, at + 3_100_000), [first], 'a span inside of it');
    assert.deepEqual(await told(at - 1000, at + 1000), []);
    await session.finish();
  } finally {
    await stage.host.stop();
  }
});

test('killed the moment after an order was answered: it holds, with its reason, and the gap of the next recording tells it', async () => {
  const directory = newDirectory();
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'ordering-child.ts'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  child.kill('SIGKILL');
  await once(child, 'close');
  assert.equal(line.toString(), 'ordered\n');
  assert.match(readFileSync(path.join(directory, 'streams.json'), 'utf8'), /"reason": "killed"/);
  const host = await Host.start({ directory });
  try {
    const { wanted } = host.recorder.status('cam');
    assert.deepEqual([wanted.record, wanted.reason], [false, 'killed']);
    const { bytes } = await clip(4);
    const session = await host.recorder.openSession('cam', 'test');
    session.append(bytes);
    assert.equal((await session.finish()).segments, 0);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await host.recorder.order('cam', { mode: 'on' });
    const next = await host.recorder.openSession('cam', 'test');
    next.append(bytes);
    await next.finish();
    const parts = await Array.fromAsync(host.recorder.archive('cam').parts('cam', 0, Number.MAX_SAFE_INTEGER));
    const [gap] = gapsOf(parts.flatMap((part) => part.reel.slice(part.first, part.end)));
    assert.ok(gap?.reasons.includes('ordered-off'), JSON.stringify(gap));
  } finally {
    await host.stop();
  }
});
