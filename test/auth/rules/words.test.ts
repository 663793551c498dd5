import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decide } from '../../../src/auth/rules/engine.ts';
import { ReelError } from '../../../src/errors.ts';
import { apiRequest, ask, rulesOf } from './support.ts';

const one = (lines: string): string =>
  `authentication:\n  - type: anonymous\n${lines
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')}`;
const outcome = async (lines: string, changes: Parameters<typeof ask>[1] = {}) =>
  (await ask(rulesOf(one(lines)), changes)).outcome;

suite('what a role allows', () => {
  test('lists are written with commas or as YAML lists, methods in any case', async () => {
    for (const words of ['"put, Delete"', '[put, DELETE]'])
      for (const method of ['PUT', 'DELETE', 'GET'])
        assert.equal(await outcome(`allow_method: ${words}`, { method }), 'allowed', `${words} ${method}`);
    assert.equal(await outcome('allow_method: put', { method: 'POST' }), 'forbidden');
  });

  test('the narrower word counts, whatever the order, and of two as narrow the one that denies', async () => {
    for (const lines of ['allow_admin: volumes/*\ndeny_admin: "*"', 'deny_admin: "*"\nallow_admin: volumes/*']) {
      const rules = rulesOf(one(lines));
      assert.equal((await decide(rules, apiRequest('volumes/open'))).outcome, 'allowed');
      assert.equal((await decide(rules, apiRequest('streams'))).outcome, 'forbidden');
      // Not a name that only begins so.
      assert.equal((await decide(rules, apiRequest('volumesx'))).outcome, 'forbidden');
    }
    assert.equal(await outcome('allow_method: get\ndeny_method: get'), 'forbidden');
    assert.equal(await outcome('allow_all: "*"\ndeny_method: delete', { method: 'DELETE' }), 'forbidden');
    assert.equal(await outcome('deny_all: "*"\nallow_web: true\nallow_method: get'), 'allowed');
  });

  test('HEAD is not allowed by default', async () => {
    assert.equal(await outcome('allow_web: true', { method: 'HEAD' }), 'forbidden');
  });
});

suite('what a role is about', () => {
  test('a match list means these and no others', async () => {
    assert.equal(await outcome('match_method: get', { method: 'GET' }), 'allowed');
    assert.equal(await outcome('match_method: get\nallow_method: "*"', { method: 'PUT' }), 'forbidden');
  });

  test('a request without Origin is named by * only', async () => {
    assert.equal(await outcome('match_origin: "https://a"'), 'forbidden');
    assert.equal(await outcome('match_origin: "*"'), 'allowed');
    assert.equal(await outcome('nomatch_origin: "https://a"'), 'allowed');
  });
});

suite('what is refused', () => {
  const refused = (yaml: string, path: string, words: RegExp): void => {
    assert.throws(
      () => rulesOf(yaml),
      (error: unknown) => {
        assert.ok(error instanceof ReelError && error.code === 'config-invalid');
        const [problem] = error.details.problems as { path: string; expected: string; got: string }[];
        assert.equal(problem?.path, path);
        assert.match(`${problem?.expected}, got ${problem?.got}`, words);
        assert.equal(JSON.stringify(error.toJSON()).includes('marked-secret'), false);
        return true;
      },
    );
  };

  test('each fault with its place', () => {
    refused('authentication: [{type: nobody}]', '/authentication/0/type', /one of anonymous, static/);
    refused('authentication: [{type: anonymous, alow_web: true}]', '/authentication/0', /alow_web/);
    refused('authentication: [{type: static, options: {username: a}}]', '/authentication/0/options', /password/);
    refused(
      'authentication: [{type: static, options: {username: a, password: marked-secret, user: b}}]',
      '/authentication/0/options',
      /nothing but username, password, got user/,
    );
    refused(
      'authentication: [{type: url, options: {client_add: "ftp://a:marked-secret@b/"}}]',
      '/authentication/0/options/client_add',
      /asked whether a client may come.*got another value/,
    );
    refused('authentication: [{type: anonymous, options: {a: b}}]', '/authentication/0/options', /no option at all/);
    refused('authentication: [{type: anonymous, allow_web: true, deny_web: true}]', '/authentication/0', /contradict/);
    refused(
      'authentication: [{type: anonymous, http_headers: [{name: Set-Cookie, value: a}]}]',
      '/authentication/0/http_headers/0/name',
      /Set-Cookie/,
    );
    refused(
      'authentication: [{type: jwt, options: {issuer: a, audience: b}}]',
      '/authentication/0/options',
      /jwks_url or jwks_file, got neither/,
    );
    refused(
      'streams: {/cam.ogg: {authentication: []}, cam: {authentication: []}}',
      '/streams/cam',
      /each stream once, got it and \/cam.ogg/,
    );
    refused(
      'authentication: [{type: anonymous, match_admin: [Volumes]}]',
      '/authentication/0/match_admin',
      /commands of the API.*got \["Volumes"\]/,
    );
    refused(
      'authentication: [{type: anonymous, deny_method: "put;get"}]',
      '/authentication/0/deny_method',
      /HTTP methods/,
    );
    refused('streams: {a b: {authentication: []}}', '/streams', /a b/);
    refused('streams: {cam: {authentication: [{type: jwt}]}}', '/streams/cam/authentication/0/options', /issuer/);
  });

  test('a file outside its folder', () => {
    for (const filename of ['../admin.json', '/etc/shadow', 'a/b', '.hidden'])
      refused(
        `authentication: [{type: htpasswd, options: {filename: "${filename}"}}]`,
        '/authentication/0/options/filename',
        /folder auth/,
      );
  });

  test('a password that begins like a hash and is none', () => {
    assert.throws(
      () => rulesOf('authentication: [{type: static, options: {username: a, password: "$6$marked-secret"}}]'),
      (error: unknown) => error instanceof ReelError && /\$6\$/.test(error.message) && !/marked/.test(error.message),
    );
  });
});
