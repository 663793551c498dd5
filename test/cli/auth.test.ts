import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explanationText } from '../../src/cli/auth-explain.ts';

test('an explanation in words: the outcome, the reason, and every role that was looked at', () => {
  const text = explanationText({
    outcome: 'unauthorized',
    why: 'global 2 (anonymous) denies it: deny_all',
    rule: 'global 2 (anonymous)',
    user: null,
    request: { route: '/:stream/:name.m3u8', command: null, stream: 'cam1', listener: 'default' },
    limits: { connectionsPerUser: 2, seconds: null },
    steps: [
      {
        level: 'stream',
        place: 1,
        type: 'static',
        name: 'friends',
        result: 'nomatch',
        why: 'there are no credentials',
      },
      { level: 'global', place: 1, type: 'jwt', name: null, result: 'filtered', why: 'match_method does not have GET' },
      { level: 'global', place: 2, type: 'anonymous', name: null, result: 'match', why: 'anonymous matches everybody' },
    ],
  });
  assert.equal(
    text,
    `denied: 401, other credentials might help
because: global 2 (anonymous) denies it: deny_all
asked:   web of the stream cam1, through the listener default
limits:  at most 2 connections of the user
  stream 1 (static, friends): no match: there are no credentials
  global 1 (jwt): passed over: match_method does not have GET
  global 2 (anonymous): match: anonymous matches everybody`,
  );
});
