import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
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

const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
const run = (input: string, ...args: string[]) =>
  spawnSync(process.execPath, [main, 'auth', 'import-icecast', '-', ...args], {
    input,
    encoding: 'utf8',
    timeout: 60_000,
  });

test('import-icecast prints rules, without a service', () => {
  const xml =
    '<mount><mount-name>/a.ogg</mount-name><authentication><role type="anonymous" deny-all="*"/></authentication></mount>';
  const { stdout, status } = run(xml);
  assert.equal(status, 0);
  assert.equal(
    stdout,
    `# line 1: /a.ogg is the stream a here
streams:
  /a.ogg:
    authentication:
      - type: anonymous
        deny_all: "*"
`,
  );
  assert.deepEqual(JSON.parse(run(xml, '--json').stdout).rules.streams, {
    '/a.ogg': { authentication: [{ type: 'anonymous', deny_all: '*' }] },
  });
});

test('import-icecast refuses what it would have to guess, with exit code 2', () => {
  const { stdout, stderr, status } = run('<authentication><role type="ldap"/></authentication>');
  assert.deepEqual([status, stdout], [2, '']);
  assert.match(stderr, /at line 1 a role of the type anonymous.*got ldap/);
});
