/** What is kept and told, and to whom. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { EventBus, type ServiceEvent } from '../../src/events/bus.ts';
import { fits } from '../../src/events/filter.ts';

const make = (keep = 10): EventBus =>
  new EventBus({ now: () => Date.UTC(2026, 10, 21, 14), log: pino({ level: 'silent' }), keep });

const numbers = (events: readonly ServiceEvent[]): number[] => events.map((event) => Number(event.facts.n));

test('an event has a number, a time, and what it is about', () => {
  const bus = make();
  const first = bus.publish({ type: 'volume.state', volume: 'v', facts: { state: 'open' } });
  const [run] = first.id.split('-');
  assert.deepEqual(first, {
    ...{ id: `${run}-1`, time: '2026-11-21T14:00:00.000Z', type: 'volume.state', volume: 'v', stream: null },
    facts: { state: 'open' },
  });
  assert.equal(bus.publish({ type: 'x' }).id, `${run}-2`);
  assert.equal(bus.lastId, `${run}-2`);
});

test('the past: all of it, what came after an event, and whether something is missing', () => {
  const bus = make(10);
  for (let n = 1; n <= 35; n += 1) bus.publish({ type: 'x', facts: { n } });
  const id = (n: number): string => bus.lastId.replace(/\d+$/, String(n));
  const last10 = [26, 27, 28, 29, 30, 31, 32, 33, 34, 35];
  assert.deepEqual(numbers(bus.past().events), last10);
  const asked: [string, boolean, number[]][] = [
    [id(35), false, []],
    [id(33), false, [34, 35]],
    [id(25), false, last10],
    [id(24), true, last10],
    [id(36), true, last10],
    ['another-33', true, last10],
    ['', true, last10],
    ['-', true, last10],
    [id(33).replace('33', '3e1'), true, last10],
  ];
  for (const [after, missed, wanted] of asked) {
    const past = bus.past(after);
    assert.deepEqual([past.missed, numbers(past.events)], [missed, wanted], after);
  }
});

test('listeners hear in order; one that throws keeps nobody from hearing; one that left hears nothing', () => {
  const bus = make();
  const heard: string[] = [];
  bus.subscribe({
    onEvent: () => {
      throw new Error('defect');
    },
  });
  const leave = bus.subscribe({
    onEvent: ({ type }) => heard.push(`a ${type}`),
    onClose: () => heard.push('a closed'),
  });
  bus.subscribe({ onEvent: ({ type }) => heard.push(`b ${type}`), onClose: () => heard.push('b closed') });
  bus.publish({ type: 'one' });
  leave();
  bus.publish({ type: 'two' });
  bus.close();
  bus.close();
  bus.publish({ type: 'three' });
  bus.subscribe({ onEvent: () => heard.push('late'), onClose: () => heard.push('late closed') });
  assert.deepEqual(heard, ['a one', 'b one', 'b two', 'b closed', 'late closed']);
  assert.equal(bus.listeners, 0);
});

test('facts that are too large are not kept', () => {
  const event = make().publish({ type: 'x', facts: { text: 'a'.repeat(9000) } });
  assert.deepEqual(event.facts, { truncated: true });
});

test('filters', () => {
  const event = make().publish({ type: 'volume.key.added', volume: 'v', stream: null });
  const asked: [Parameters<typeof fits>[1], boolean][] = [
    [{}, true],
    [{ types: ['volume.*'] }, true],
    [{ types: ['stream.*', 'volume.key.added'] }, true],
    [{ types: ['volume.key'] }, false],
    [{ types: ['volume.key.*'], volume: 'v' }, true],
    [{ volume: 'w' }, false],
    [{ stream: 'v' }, false],
  ];
  for (const [filter, wanted] of asked) assert.equal(fits(event, filter), wanted, JSON.stringify(filter));
});
