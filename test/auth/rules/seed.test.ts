/** What the three examples of Icecast's own guide say that they do. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decide } from '../../../src/auth/rules/engine.ts';
import { globalYaml, listenerYaml, streamYaml } from '../seed-examples.ts';
import { apiRequest, rulesOf, webRequest } from './support.ts';

const admin = ['admin', 'hackme'] as const;
const listener = ['listener', 'salad'] as const;

suite('the global block', () => {
  const rules = rulesOf(globalYaml);
  const outcome = async (request: Parameters<typeof decide>[1]) => (await decide(rules, request)).outcome;

  test('admin has full access', async () => {
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
      assert.equal(await outcome(webRequest({ as: admin, method, stream: 'cam' })), 'allowed');
      assert.equal(await outcome(apiRequest('volumes/open', { as: admin, method })), 'allowed');
    }
  });

  test('listener has web access and no admin access', async () => {
    assert.equal(await outcome(webRequest({ as: listener, stream: 'cam' })), 'allowed');
    assert.equal(await outcome(webRequest({ as: listener, stream: 'cam', method: 'OPTIONS' })), 'allowed');
    // The default: only GET and OPTIONS.
    assert.equal(await outcome(webRequest({ as: listener, stream: 'cam', method: 'PUT' })), 'forbidden');
    for (const command of ['volumes', 'buildm3u', 'streams'])
      assert.equal(await outcome(apiRequest(command, { as: listener })), 'forbidden');
  });

  test('everybody else is forbidden everything, and may sign in', async () => {
    for (const as of [undefined, ['stranger', 'x'] as const]) {
      const who = as === undefined ? {} : { as };
      assert.equal(await outcome(webRequest({ ...who, stream: 'cam' })), 'unauthorized');
      assert.equal(await outcome(apiRequest('volumes', who)), 'unauthorized');
    }
  });

  test('a known user with a wrong password is denied by its own role', async () => {
    const decision = await decide(rules, webRequest({ as: ['admin', 'salad'] }));
    assert.equal(decision.outcome, 'unauthorized');
    assert.deepEqual(
      decision.steps.map(({ place, result }) => [place, result]),
      [[1, 'fail']],
    );
  });
});

suite('the block of one stream', () => {
  const rules = rulesOf(streamYaml + globalYaml);
  const friend = ['friend', 'wine'] as const;
  const outcome = async (request: Parameters<typeof decide>[1]) => (await decide(rules, request)).outcome;

  test('the friend may listen to the stream, and to no other', async () => {
    assert.equal(await outcome(webRequest({ as: friend, stream: 'example1' })), 'allowed');
    assert.equal(await outcome(webRequest({ as: friend, stream: 'example2' })), 'unauthorized');
  });

  test('of admin access the friend has the default: playlist generation only', async () => {
    assert.equal(await outcome(apiRequest('buildm3u', { as: friend, stream: 'example1' })), 'allowed');
    assert.equal(await outcome(apiRequest('streams', { as: friend, stream: 'example1' })), 'forbidden');
  });

  test('for others the rules of the global section are tried', async () => {
    const decision = await decide(rules, webRequest({ as: listener, stream: 'example1' }));
    assert.equal(decision.outcome, 'allowed');
    assert.deepEqual(
      decision.steps.map(({ level, place, result }) => [level, place, result]),
      [
        ['stream', 1, 'nomatch'],
        ['global', 1, 'nomatch'],
        ['global', 2, 'match'],
      ],
    );
    assert.equal(await outcome(webRequest({ stream: 'example1' })), 'unauthorized');
  });
});

suite('the block of a listen socket', () => {
  const rules = rulesOf(listenerYaml('public') + globalYaml);
  const outcome = async (request: Parameters<typeof decide>[1]) => (await decide(rules, request)).outcome;

  test('all admin commands are rejected there, whoever asks', async () => {
    for (const as of [undefined, admin, listener])
      assert.equal(
        await outcome(apiRequest('volumes', { listener: 'public', ...(as === undefined ? {} : { as }) })),
        'forbidden',
      );
  });

  test('web requests go on to the other rules', async () => {
    assert.equal(await outcome(webRequest({ listener: 'public', as: listener })), 'allowed');
    assert.equal(await outcome(webRequest({ listener: 'public' })), 'unauthorized');
  });

  test('other listen sockets are as before', async () => {
    assert.equal(await outcome(apiRequest('volumes', { listener: 'internal', as: admin })), 'allowed');
    assert.equal(await outcome(apiRequest('volumes', { as: admin })), 'allowed');
  });
});
