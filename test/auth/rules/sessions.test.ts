import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Entered, type SessionFacts, Sessions } from '../../../src/auth/rules/sessions.ts';

const facts = (changes: Partial<SessionFacts> = {}): SessionFacts => ({
  kind: 'play',
  rule: 'global 1',
  user: 'ann',
  stream: 'cam',
  address: '192.0.2.1',
  agent: 'vlc',
  ...changes,
});

const make = () => {
  const clock = { at: 0 };
  const sessions = new Sessions({ elapsed: () => clock.at, idleMs: 1000 });
  const enter = (
    changes: Partial<SessionFacts> = {},
    limits: { connectionsPerUser?: number; seconds?: number; remainingMs?: number } = {},
    removed?: (seconds: number) => void,
  ) =>
    sessions.enter(
      facts(changes),
      { connectionsPerUser: undefined, seconds: undefined, remainingMs: undefined, ...limits },
      removed === undefined ? undefined : { removed },
    );
  return { clock, sessions, enter };
};

const entered = (result: ReturnType<Sessions['enter']>): Entered => {
  assert.equal(typeof result, 'object', String(result));
  return result as Entered;
};

suite('connections per user', () => {
  test('requests of one player are one connection; another player is another one', () => {
    const { enter } = make();
    for (let times = 0; times < 5; times += 1) entered(enter({}, { connectionsPerUser: 1 }));
    assert.equal(enter({ agent: 'mpv' }, { connectionsPerUser: 1 }), 'too many connections');
    assert.equal(enter({ address: '192.0.2.2' }, { connectionsPerUser: 1 }), 'too many connections');
    entered(enter({ address: '192.0.2.2' }, { connectionsPerUser: 2 }));
  });

  test('each user and each stream on its own, and nobody in particular is not counted', () => {
    const { enter } = make();
    for (const user of ['ann', 'bob'])
      for (const stream of ['cam', 'mic']) entered(enter({ user, stream }, { connectionsPerUser: 1 }));
    for (const address of ['a', 'b', 'c']) entered(enter({ user: undefined, address }, { connectionsPerUser: 1 }));
  });

  test('a player that has gone makes room, one that is still sent something does not', () => {
    const { clock, enter } = make();
    const first = entered(enter({}, { connectionsPerUser: 1 }));
    clock.at = 5000;
    assert.equal(enter({ agent: 'mpv' }, { connectionsPerUser: 1 }), 'too many connections');
    first.leave();
    first.leave();
    clock.at = 5999;
    assert.equal(enter({ agent: 'mpv' }, { connectionsPerUser: 1 }), 'too many connections');
    clock.at = 6000;
    entered(enter({ agent: 'mpv' }, { connectionsPerUser: 1 }));
  });

  test('only players are limited', () => {
    const { enter } = make();
    for (const kind of ['publish', 'api'] as const)
      for (const agent of ['a', 'b']) {
        const { remainingMs } = entered(enter({ kind, agent }, { connectionsPerUser: 1, seconds: 1, remainingMs: 5 }));
        assert.equal(remainingMs, Number.POSITIVE_INFINITY);
      }
  });
});

suite('connection duration', () => {
  test('counts from the first request, ends, and begins anew after a pause', () => {
    const { clock, enter } = make();
    for (const at of [0, 900, 1800]) {
      clock.at = at;
      const one = entered(enter({}, { seconds: 2 }));
      assert.equal(one.remainingMs, 2000 - at);
      one.leave();
    }
    clock.at = 2000;
    assert.equal(enter({}, { seconds: 2 }), 'time is over');
    // Trying on and on is no pause.
    clock.at = 2900;
    assert.equal(enter({}, { seconds: 2 }), 'time is over');
    clock.at = 3900;
    assert.equal(entered(enter({}, { seconds: 2 })).remainingMs, 2000);
  });

  test('what was shown may end sooner, and a later one goes on', () => {
    const { clock, enter } = make();
    assert.equal(entered(enter({}, { seconds: 10, remainingMs: 500 })).remainingMs, 500);
    clock.at = 600;
    assert.equal(enter({}, { seconds: 10, remainingMs: 0 }), 'time is over');
    assert.equal(entered(enter({}, { seconds: 10, remainingMs: 20_000 })).remainingMs, 9400);
  });
});

test('more connections than there is room for are refused until some have gone', () => {
  const clock = { at: 0 };
  const sessions = new Sessions({ elapsed: () => clock.at, idleMs: 1000, most: 2 });
  const limits = { connectionsPerUser: undefined, seconds: 60, remainingMs: undefined };
  for (const agent of ['a', 'b', 'a']) entered(sessions.enter(facts({ agent }), limits)).leave();
  assert.equal(sessions.enter(facts({ agent: 'c' }), limits), 'full');
  clock.at = 1000;
  sessions.sweep();
  entered(sessions.enter(facts({ agent: 'c' }), limits));
  sessions.close();
});

test('whoever let a player in is told once that it has gone, and for how long it was there', () => {
  const { clock, sessions, enter } = make();
  const told: number[] = [];
  const removed = (seconds: number): void => void told.push(seconds);
  const client = { removed };
  const limits = { connectionsPerUser: undefined, seconds: undefined, remainingMs: undefined };
  for (const at of [0, 800, 1600]) {
    clock.at = at;
    entered(sessions.enter(facts(), limits, client)).leave();
  }
  const long = entered(enter({ agent: 'mpv' }, {}, removed));
  clock.at = 3000;
  sessions.sweep();
  assert.deepEqual(told, [1.6]);
  long.leave();
  clock.at = 5000;
  sessions.sweep();
  assert.deepEqual(told, [1.6, 1.4]);
  assert.equal(sessions.size, 0);
  sessions.close();
});
