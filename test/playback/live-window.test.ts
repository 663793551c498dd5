import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { VolumeArchive } from '../../src/archive/archive.ts';
import { hourUs } from '../../src/archive/reel.ts';
import { endUs, hasFlag, isGap, type Segment } from '../../src/archive/segment.ts';
import { segmentFlags } from '../../src/native.ts';
import { type LiveWindow, liveWindow, placeWindow } from '../../src/playback/live-window.ts';
import { anchorOf, countDiscontinuities, seedAnchor } from '../../src/playback/numbering.ts';
import type { NumberAnchor } from '../../src/recorder/stream-registry.ts';
import { reelOf, run, segmentsOf, someHour, TemporaryVolume, type Wanted } from '../archive/fixtures.ts';

let volume = new TemporaryVolume();
let archive = new VolumeArchive({ files: volume.files });
beforeEach(async () => {
  await volume.remove();
  volume = new TemporaryVolume();
  archive = new VolumeArchive({ files: volume.files });
});
after(() => volume.remove());

class Anchors {
  stored: NumberAnchor | undefined;
  anchor(): NumberAnchor | undefined {
    return this.stored;
  }
  async setAnchor(_stream: string, anchor: NumberAnchor): Promise<void> {
    this.stored = anchor;
  }
}

const listed = (window: LiveWindow): Segment[] =>
  window.listed.flatMap(({ reel, first, end }) => reel.slice(first, end));

/** The numbers a player gives each segment: those of the first one, counted on as RFC 8216 says. */
const numbers = (window: LiveWindow): { segment: Segment; sequence: number; discontinuity: number }[] => {
  let { formerEndUs } = window;
  let discontinuity = window.discontinuitySequence;
  return listed(window).map((segment, at) => {
    const breaksOff = formerEndUs !== undefined && isGap(formerEndUs, segment.startUs);
    if (breaksOff || hasFlag(segment, segmentFlags.discontinuity)) discontinuity += 1;
    formerEndUs = endUs(segment);
    return { segment, sequence: window.mediaSequence + at, discontinuity };
  });
};

test('the last segments are listed, over the turn of the hour as well', async () => {
  volume.reel('cam', run(someHour, 5, 3590));
  const anchors = new Anchors();
  const first = await liveWindow(archive, anchors, 'cam', 3);
  assert.ok(first);
  assert.deepEqual(listed(first), run(someHour, 5, 3590).slice(2));
  assert.equal(first.mediaSequence, someHour * 3600 + 2);
  volume.reel('cam', run(someHour + 1, 1));
  const second = await liveWindow(archive, anchors, 'cam', 3);
  assert.ok(second);
  assert.deepEqual(listed(second), [...run(someHour, 5, 3590).slice(3), ...run(someHour + 1, 1)]);
  assert.equal(second.mediaSequence, first.mediaSequence + 1);
  assert.deepEqual(anchors.stored, { hour: someHour + 1, sequence: someHour * 3600 + 5, discontinuities: 0 });
});

test('what ended long before the newest segment is an earlier broadcast', async () => {
  volume.reel('cam', segmentsOf(someHour, [{ at: 0 }, { at: 2 }, { at: 700, flags: 7 }, { at: 702 }]));
  const window = await liveWindow(archive, new Anchors(), 'cam', 10);
  assert.ok(window);
  assert.equal(listed(window).length, 2);
  assert.equal(window.formerEndUs, someHour * hourUs + 4e6);
});

test('a stream without segments has no window', async () => {
  assert.equal(await liveWindow(archive, new Anchors(), 'cam', 3), undefined);
});

/** Recorded time with holes, restarts and turns of the hour: gaps between segments in seconds, 0 for none. */
const recording = fc
  .array(
    fc.record({
      gap: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 9000 })),
      seconds: fc.integer({ min: 1, max: 300 }),
      flag: fc.boolean(),
    }),
    { minLength: 2, maxLength: 60 },
  )
  .map((pieces) => {
    let at = 0;
    const wanted = pieces.map(({ gap, seconds, flag }): Wanted & { at: number } => {
      at += gap;
      const piece = { at, seconds, flags: flag && gap > 0 ? 7 : 5 };
      at += seconds;
      return piece;
    });
    const hours = Map.groupBy(wanted, (piece) => Math.floor(piece.at / 3600));
    return [...hours].map(([hour, pieces]) =>
      segmentsOf(
        someHour + hour,
        pieces.map((piece) => ({ ...piece, at: piece.at - hour * 3600 })),
      ),
    );
  });

test('a segment keeps its numbers for ever, whenever the playlist is asked for and the daemon restarts', async () => {
  await fc.assert(
    fc.asyncProperty(
      recording,
      fc.integer({ min: 1, max: 8 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 5 })),
      async (reels, count, steps) => {
        const own = new TemporaryVolume();
        try {
          const anchors = new Anchors();
          const given = new Map<number, { sequence: number; discontinuity: number }>();
          const flat = reels.flat();
          let former = 0;
          for (let held = 1; held <= flat.length; held += steps.next().value as number) {
            const now = flat.slice(0, held);
            for (const reel of Map.groupBy(now, (segment) => segment.hour).values()) own.reel('cam', reel);
            // A new archive each time: nothing may live in memory only.
            const window = await liveWindow(new VolumeArchive({ files: own.files }), anchors, 'cam', count);
            assert.ok(window);
            assert.ok(window.mediaSequence >= former, 'never back');
            former = window.mediaSequence;
            assert.deepEqual(listed(window), now.slice(-listed(window).length));
            assert.ok(listed(window).length <= count);
            for (const { segment, sequence, discontinuity } of numbers(window)) {
              const known = given.get(segment.startUs);
              assert.deepEqual({ sequence, discontinuity }, known ?? { sequence, discontinuity });
              given.set(segment.startUs, { sequence, discontinuity });
            }
          }
          const inOrder = [...given].sort(([a], [b]) => a - b).map(([, value]) => value.sequence);
          assert.equal(new Set(inOrder).size, inOrder.length, 'no number is given twice');
        } finally {
          await own.remove();
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('without an anchor numbers start from the clock and lie above those of a former life', async () => {
  const anchors = new Anchors();
  volume.reel('cam', run(someHour, 1800));
  const before = await liveWindow(archive, anchors, 'cam', 3);
  volume.reel('cam', run(someHour + 1, 2));
  const after = await liveWindow(archive, new Anchors(), 'cam', 3);
  assert.ok(before && after && after.mediaSequence > before.mediaSequence);
});

test('an anchor of an hour that retention took still counts', async () => {
  volume.reel('cam', run(someHour + 2, 2));
  const anchors = new Anchors();
  anchors.stored = { hour: someHour, sequence: 7, discontinuities: 1 };
  assert.deepEqual(await anchorOf(archive, anchors, 'cam', someHour + 2), {
    hour: someHour + 2,
    sequence: 7,
    discontinuities: 1,
  });
  assert.deepEqual(seedAnchor(2), { hour: 2, sequence: 7200, discontinuities: 0 });
});

test('the window of pure lists', () => {
  const segments = segmentsOf(someHour, [{ at: 0, flags: 7 }, { at: 2 }, { at: 10 }, { at: 12, flags: 7 }]);
  const part = { hour: someHour, reel: reelOf(segments), first: 0, end: 4 };
  const anchor = { hour: someHour, sequence: 100, discontinuities: 20 };
  assert.equal(countDiscontinuities(part, undefined), 3);
  const window = placeWindow([part], 2, anchor);
  assert.deepEqual(
    [window.mediaSequence, window.discontinuitySequence, window.formerEndUs],
    [102, 21, someHour * hourUs + 4e6],
  );
});
