import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReelError } from '../../src/errors.ts';
import {
  maxDurationSeconds,
  parsePlaylistName,
  parseReelParams,
  parseSegmentName,
} from '../../src/playback/address.ts';

const refused = (run: () => unknown, code: string, name: string): void => {
  assert.throws(run, (error) => error instanceof ReelError && error.code === code, name);
};

test('names of playlists', () => {
  assert.deepEqual(parsePlaylistName('index'), { kind: 'live' });
  assert.deepEqual(parsePlaylistName('archive-1000-60'), { kind: 'archive', fromUs: 1000e6, toUs: 1060e6 });
  assert.deepEqual(parsePlaylistName('archive-1000-now'), { kind: 'event', fromUs: 1000e6 });
  for (const name of [
    'archive--60',
    'archive-1000-',
    'archive-1000-0',
    'archive-1e3-60',
    'archive-01-60',
    'archive-1.5-60',
    `archive-${'9'.repeat(30)}-60`,
    `archive-1-${maxDurationSeconds + 1}`,
    'archive-253402300800-1',
    'archive-1-Now',
    'archive-\u0000-1',
  ])
    refused(() => parsePlaylistName(name), 'invalid-argument', name);
  for (const name of ['', 'Index', 'archive', 'archive-1', 'archive-1-2-3', '../index', 'index.m3u8'])
    refused(() => parsePlaylistName(name), 'not-found', name);
});

test('names of segments', () => {
  assert.deepEqual(parseSegmentName('0-188'), { offset: 0, length: 188 });
  for (const name of [
    '',
    '-',
    '0',
    '0-',
    '-1',
    '0-1-2',
    '00-1',
    '1e3-1',
    '0x1-1',
    ' 0-1',
    '9007199254740992-1',
    `${'9'.repeat(40)}-1`,
    '٣-1',
  ])
    refused(() => parseSegmentName(name), 'invalid-argument', name);
});

test('whatever a URL holds, it is understood or refused, and nothing else is thrown', () => {
  const known = (run: () => unknown): void => {
    try {
      run();
    } catch (error) {
      assert.ok(
        error instanceof ReelError && (error.code === 'invalid-argument' || error.code === 'not-found'),
        String(error),
      );
    }
  };
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.tuple(fc.string(), fc.string()).map(([a, b]) => `archive-${a}-${b}`),
  );
  fc.assert(
    fc.property(text, text, (one, other) => {
      known(() => parsePlaylistName(one));
      known(() => parseSegmentName(one));
      known(() => parseReelParams({ year: one, month: other, day: '01', hour: '00' }));
    }),
  );
});
