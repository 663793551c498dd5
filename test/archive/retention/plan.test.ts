/** What retention would delete, for thousands of made-up archives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hourUs } from '../../../src/archive/reel.ts';
import { type Purge, type PurgeInput, planPurge, takesMost } from '../../../src/archive/retention/plan.ts';
import { peakRate } from '../../../src/archive/retention/rate.ts';
import { keeperOf, type Protection, type Reel, reelEndUs, reelStartUs } from '../../../src/archive/retention/reels.ts';
import { noRules, rulesOf, type StreamRules } from '../../../src/archive/retention/rules.ts';
import { expectedFree } from '../../../src/archive/retention/space.ts';
import { planThin, type Urgency } from '../../../src/archive/retention/thin.ts';

const now = 1000;
const nowUs = now * hourUs + hourUs / 2;
const streams = ['a', 'b', 'c'];

const reel = fc.record({
  stream: fc.constantFrom(...streams),
  hour: fc.integer({ min: now - 60, max: now + 1 }),
  bytes: fc.integer({ min: 0, max: 50 }),
});
const reels = fc.uniqueArray(reel, { selector: ({ stream, hour }) => `${stream}/${hour}`, maxLength: 60 });
const limits = fc.record({
  maxAgeSeconds: fc.option(fc.integer({ min: 3600, max: 60 * 3600 })),
  maxBytes: fc.option(fc.integer({ min: 0, max: 400 })),
  share: fc.integer({ min: 1, max: 4 }),
});
const protection = fc
  .record({
    stream: fc.constantFrom(...streams),
    fromUs: fc.integer({ min: (now - 60) * hourUs, max: (now + 1) * hourUs }),
    length: fc.integer({ min: 1, max: 5 * hourUs }),
    kind: fc.constantFrom('episode' as const, 'lease' as const),
  })
  .map(({ length, ...rest }): Protection => ({ ...rest, toUs: rest.fromUs + length }));

const input = fc
  .record({
    reels,
    rules: fc.tuple(limits, limits, limits),
    protections: fc.array(protection, { maxLength: 3 }),
    open: fc.array(fc.tuple(fc.constantFrom(...streams), fc.integer({ min: now - 10, max: now })), { maxLength: 2 }),
    freeBytes: fc.option(fc.integer({ min: 0, max: 500 }), { nil: undefined }),
    wantedFreeBytes: fc.integer({ min: 0, max: 1000 }),
  })
  .map(({ rules, protections, open, ...rest }) => ({
    ...rest,
    nowUs,
    protections,
    openFrom: new Map(open),
    rulesOf: (stream: string): StreamRules => rules[streams.indexOf(stream)] as StreamRules,
    keepOf: keeperOf({ protections, openFrom: new Map(open), nowUs }),
  }));
type Made = PurgeInput & { protections: readonly Protection[]; openFrom: ReadonlyMap<string, number> };

/** Said in another way than the code says it. */
const mustStay = (one: Reel, { protections, openFrom }: Made): boolean =>
  reelEndUs(one) > nowUs ||
  (openFrom.has(one.stream) && one.hour >= (openFrom.get(one.stream) as number)) ||
  protections.some(
    ({ stream, fromUs, toUs }) => stream === one.stream && fromUs < reelEndUs(one) && toUs > reelStartUs(one),
  );

const check = (property: (made: Made) => void): void =>
  fc.assert(
    fc.property(input, (made) => property(made)),
    { numRuns: 3000 },
  );

/** What is left of each stream before each step of the plan. */
const replay = (made: Made, step: (purge: Purge, left: Reel[], at: number) => void): Reel[] => {
  const left = new Set(made.reels);
  planPurge(made).purges.forEach((purge, at) => {
    step(purge, [...left], at);
    assert.ok(left.delete(purge.reel), 'a reel twice, or one that there is not');
  });
  return [...left];
};
const held = (left: readonly Reel[], stream: string): number =>
  left.filter((one) => one.stream === stream).reduce((sum, { bytes }) => sum + bytes, 0);
const loose = (left: readonly Reel[], made: Made): Reel[] => left.filter((one) => made.keepOf(one) === undefined);

test('an episode, a leased range, the open reel and what may still become one never go', () => {
  check((made) => {
    for (const { reel } of planPurge(made).purges) assert.ok(!mustStay(reel, made));
    for (const urgency of [1, 2, 3, 4] as const)
      for (const { reel } of planThin({ ...made, bytes: 10_000, urgency }).purges) assert.ok(!mustStay(reel, made));
  });
});

test('the reel that holds the beginning of a protected range, an hour before it, stays too', () => {
  const keepOf = keeperOf({
    protections: [{ stream: 'a', fromUs: 900 * hourUs, toUs: 901 * hourUs, kind: 'episode' }],
    openFrom: new Map(),
    nowUs,
  });
  assert.deepEqual(
    [898, 899, 900, 901].map((hour) => keepOf({ stream: 'a', hour })),
    [undefined, 'episode', 'episode', undefined],
  );
  assert.equal(keepOf({ stream: 'b', hour: 900 }), undefined);
});

test('a reel whose hour has just ended may still be taken up by a writer', () => {
  const keepOf = keeperOf({ protections: [], openFrom: new Map(), nowUs: now * hourUs + 60e6 });
  assert.equal(keepOf({ stream: 'a', hour: now - 1 }), 'open');
  assert.equal(keepOf({ stream: 'a', hour: now - 2 }), undefined);
});

test('by age goes all that is too old, and nothing that is not', () => {
  check((made) => {
    const expired = (one: Reel): boolean => {
      const { maxAgeSeconds } = made.rulesOf(one.stream);
      return maxAgeSeconds !== null && nowUs - reelEndUs(one) >= maxAgeSeconds * 1e6;
    };
    const { purges } = planPurge(made);
    for (const { reel, rule } of purges) assert.ok(rule !== 'age' || expired(reel));
    const aged = purges.filter(({ rule }) => rule === 'age').map(({ reel }) => reel);
    assert.deepEqual(new Set(aged), new Set(loose(made.reels, made).filter(expired)));
    assert.deepEqual(
      aged.map(({ hour }) => hour),
      aged.map(({ hour }) => hour).sort((a, b) => a - b),
    );
  });
});

test('by bytes a stream comes down to its limit, and not further', () => {
  check((made) => {
    const left = replay(made, ({ reel, rule }, before) => {
      const { maxBytes } = made.rulesOf(reel.stream);
      if (rule === 'bytes') assert.ok(maxBytes !== null && held(before, reel.stream) > maxBytes);
    });
    for (const stream of streams) {
      const { maxBytes } = made.rulesOf(stream);
      const stuck = loose(left, made).every((one) => one.stream !== stream);
      assert.ok(maxBytes === null || stuck || held(left, stream) <= maxBytes);
    }
  });
});

test('for free space goes no reel more than needed, and what could not be freed is told', () => {
  check((made) => {
    let freed = 0;
    const missing = (): number => (made.freeBytes === undefined ? 0 : made.wantedFreeBytes - made.freeBytes - freed);
    const left = replay(made, ({ reel, rule }) => {
      assert.ok(rule !== 'free' || missing() > 0);
      freed += reel.bytes;
    });
    const { short, bytes } = planPurge(made);
    assert.equal(bytes, freed);
    assert.equal(short, Math.max(0, missing()));
    assert.ok(short === 0 || loose(left, made).length === 0);
  });
});

test('room is made by the stream that holds most for its share: no stream starves another', () => {
  check((made) => {
    replay(made, ({ reel, rule }, before) => {
      if (rule !== 'free') return;
      const weight = (stream: string): number => held(before, stream) / made.rulesOf(stream).share;
      for (const rival of new Set(loose(before, made).map(({ stream }) => stream)))
        assert.ok(weight(rival) <= weight(reel.stream));
    });
  });
});

test('a loud stream beside a quiet one ends with its share, and the quiet one loses nothing', () => {
  const loud = Array.from({ length: 40 }, (_, at) => ({ stream: 'loud', hour: 900 + at, bytes: 100 }));
  const quiet = Array.from({ length: 40 }, (_, at) => ({ stream: 'quiet', hour: 900 + at, bytes: 1 }));
  const { purges } = planPurge({
    reels: [...loud, ...quiet],
    rulesOf: () => rulesOf(noRules, ''),
    keepOf: () => undefined,
    nowUs,
    freeBytes: 0,
    wantedFreeBytes: 3000,
  });
  assert.deepEqual(
    purges.map(({ reel }) => reel),
    loud.slice(0, 30),
  );
});

test('of each stream the oldest goes first, whatever the rule', () => {
  check((made) => {
    replay(made, ({ reel }, before) => {
      for (const one of loose(before, made)) assert.ok(one.stream !== reel.stream || one.hour >= reel.hour);
    });
  });
});

test('without rules nothing goes, and without a figure for the free space nothing goes for its sake', () => {
  check((made) => {
    const none = { ...made, rulesOf: () => rulesOf(noRules, ''), freeBytes: undefined };
    assert.deepEqual(planPurge(none).purges, []);
  });
});

test('more than half of an archive is seen as that; the last reel of each stream is not', () => {
  const old = (stream: string, count: number) =>
    Array.from({ length: count }, (_, at) => ({ stream, hour: 500 + at, bytes: 10 }));
  const plan = (all: Reel[], maxBytes: number) =>
    planPurge({
      reels: all,
      rulesOf: () => ({ maxAgeSeconds: null, maxBytes, share: 1 }),
      keepOf: () => undefined,
      nowUs,
      freeBytes: undefined,
      wantedFreeBytes: 0,
    });
  assert.equal(takesMost(plan(old('a', 10), 50)), false);
  assert.equal(takesMost(plan(old('a', 10), 40)), true);
  assert.equal(takesMost(plan([...old('a', 1), ...old('b', 1)], 0)), false);
  const sized = (sizes: number[]): Reel[] => sizes.map((bytes, at) => ({ stream: 'a', hour: 500 + at, bytes }));
  assert.equal(takesMost(plan(sized([100, 100, 1, 1, 1, 1, 1, 1]), 6)), true, 'most bytes, few hours');
  assert.equal(takesMost(plan(sized([1, 1, 1, 1, 1, 1, 100, 100]), 200)), true, 'most hours, few bytes');
});

test('thin frees what is asked for and no reel more, and each urgency holds the one before', () => {
  fc.assert(
    fc.property(input, fc.integer({ min: 1, max: 800 }), (made, bytes) => {
      let former = new Set<Reel>();
      for (const urgency of [1, 2, 3, 4] as const) {
        const { purges, short, bytes: freed } = planThin({ ...made, bytes, urgency });
        const all = new Set(planThin({ ...made, bytes: Number.MAX_SAFE_INTEGER, urgency }).purges.map((p) => p.reel));
        assert.ok(former.isSubsetOf(all));
        former = all;
        assert.equal(short, Math.max(0, bytes - freed));
        if (short > 0) assert.equal(purges.length, all.size);
        const last = purges.at(-1);
        assert.ok(last === undefined || freed - last.reel.bytes < bytes);
      }
      assert.equal(former.size, loose(made.reels, made).length);
    }),
    { numRuns: 2000 },
  );
});

test('the urgencies of thin: soon expired, half lived, older half, all', () => {
  const all = Array.from({ length: 10 }, (_, at) => ({ stream: 'a', hour: now - 100 + at * 10, bytes: 1 }));
  const taken = (urgency: Urgency, maxAgeSeconds: number | null): number[] =>
    planThin({
      reels: all,
      rulesOf: () => ({ maxAgeSeconds, maxBytes: null, share: 1 }),
      keepOf: () => undefined,
      nowUs,
      bytes: 100,
      urgency,
    }).purges.map(({ reel }) => now - reel.hour);
  assert.deepEqual(taken(1, 110 * 3600), [100, 90]); // within a day
  assert.deepEqual(taken(2, 110 * 3600), [100, 90, 80, 70, 60]);
  assert.deepEqual(taken(1, null), []);
  assert.deepEqual(taken(2, null), []);
  assert.deepEqual(taken(3, null), [100, 90, 80, 70, 60]);
  assert.deepEqual(taken(4, null), [100, 90, 80, 70, 60, 50, 40, 30, 20, 10]);
});

test('the bitrate is that of the fullest of the last 24 hours', () => {
  const at = (hour: number, bytes: number, stream = 'a') => ({ stream, hour, bytes });
  const all = [at(now, 99e6), at(now - 1, 36e5), at(now - 2, 72e5), at(now - 2, 36e5, 'b'), at(now - 25, 99e6)];
  assert.equal(peakRate(all, nowUs), 3000);
  assert.equal(peakRate([], nowUs), 0);
});

test('the rate of an hour is that of the time in which it was recorded, also of the one that is now', () => {
  const at = (hour: number, bytes: number, fromMinute: number, toMinute: number) => ({
    ...{ stream: 'a', hour, bytes },
    span: { fromUs: hour * hourUs + fromMinute * 60e6, toUs: hour * hourUs + toMinute * 60e6 },
  });
  const old = at(now - 30, 1, 0, 60);
  assert.equal(peakRate([old, at(now, 12e5, 5, 25)], nowUs), 1000);
  assert.equal(peakRate([old, at(now, 12e5, 25, 26)], nowUs), 2000, 'ten minutes at least');
  assert.equal(peakRate([at(now, 18e4, 27, 29)], nowUs), 1000, 'an archive of three minutes');
  assert.equal(peakRate([at(now, 6e4, 29.9, 30)], nowUs), 1000, 'a minute at least');
  assert.equal(peakRate([old, at(now - 1, 12e5, 40, 60)], nowUs), 1000);
});

test('what was deleted and does not show as free yet is not deleted for again', () => {
  const last = { at: 0, freeBefore: 100, bytes: 50 };
  assert.equal(expectedFree(100, last, 60_000, 0), 150, 'held by readers');
  assert.equal(expectedFree(150, last, 60_000, 0), 150, 'given back');
  assert.equal(expectedFree(125, last, 60_000, 0), 150, 'half of it');
  assert.equal(expectedFree(40, last, 60_000, 1), 90, 'held, and 60 recorded meanwhile');
  assert.equal(expectedFree(90, last, 60_000, 1), 90, 'given back, and 60 recorded meanwhile');
  assert.equal(expectedFree(100, last, 301_000, 0), 100, 'not for ever');
  assert.equal(expectedFree(100, undefined, 0, 0), 100);
});
