/**
 * The whole service is stopped for a while and goes on, its block plane with requests that wait: as in a machine that is paused. It is stopped for longer than a
 * publisher may be silent, and than a block plane may do nothing.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deviceWork } from '../../src/volume/kernel-facts.ts';
import { makeClip, Publisher } from '../e2e/publisher.ts';
import { Service } from '../e2e/service.ts';
import { blockPlanesBeneath, loopsBeneath } from '../e2e/storage.ts';
import { eventOf, eventsSince, gapReasons, metric, newestEvent, published, sessionOf, Witness } from './ground.ts';

const limitMs = 9000;
const stoppedMs = limitMs + 2000;
/** The helper looks at block planes once a second. */
const lookMs = 1500;

test('a service that was stopped goes on with its publishers, and says what is missing', {
  timeout: 300_000,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-stopped-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const clip = await makeClip(folder);
  const service = await Service.make({
    REELVAULT_HANG_MS: String(limitMs),
    REELVAULT_INGEST_IDLE_MS: String(limitMs),
  });
  stack.defer(() => service.close());
  await service.makeVolume();
  const publishers = await Promise.all(['stays', 'leaves'].map((stream) => Publisher.start(service, stream, clip)));
  stack.defer(async () => {
    for (const publisher of publishers) await publisher.close();
  });
  const [stays, leaves] = [new Witness(service, 'stays'), new Witness(service, 'leaves')];
  await Promise.all([stays.more(2), leaves.more(2)]);
  const [before, begun, planes] = await Promise.all([
    sessionOf(service, 'stays'),
    newestEvent(service),
    blockPlanesBeneath(service.folder),
  ]);
  const [loop] = await loopsBeneath(service.folder);
  const parts = [service.pid, service.partPid('helper'), service.partPid('daemon')];
  const signal = (pids: readonly number[], name: 'SIGSTOP' | 'SIGCONT'): void => {
    for (const pid of pids) process.kill(pid, name);
  };
  stack.defer(() => signal(parts, 'SIGCONT'));

  signal(planes, 'SIGSTOP');
  stack.defer(async () => signal(await blockPlanesBeneath(service.folder), 'SIGCONT'));
  const waits = (): true | undefined => (deviceWork(path.basename(loop ?? '')).waiting > 0 ? true : undefined);
  await service.until(waits, 'requests that wait');
  // The helper has seen them wait, and when it goes on it sees them wait still.
  await sleep(lookMs);
  signal(parts, 'SIGSTOP');
  await publishers[1]?.close();
  await sleep(stoppedMs);
  signal(parts, 'SIGCONT');
  await sleep(lookMs);
  signal(planes, 'SIGCONT');

  const stalled = await eventOf(service, begun, 'the service stood still', ({ type }) => type === 'service.stalled');
  assert.ok(
    Number(stalled.facts.to) - Number(stalled.facts.from) >= (stoppedMs - 1000) / 1000,
    JSON.stringify(stalled),
  );
  assert.equal(await metric(service, 'service_stalls_total'), 1);
  await published(service, 'leaves', false);
  publishers.push(await Publisher.start(service, 'leaves', clip));
  await Promise.all([stays.more(3), leaves.more(3)]);
  assert.deepEqual(await sessionOf(service, 'stays'), before, 'the session goes on');
  assert.deepEqual(await gapReasons(service, 'stays'), [['stopped']]);
  // Behind what it had sent before it went, or in front of what it sends now.
  assert.ok((await gapReasons(service, 'leaves')).flat().includes('stopped'));
  assert.deepEqual(await blockPlanesBeneath(service.folder), planes);
  const bad = ['volume.state', 'stream.failed', 'stream.paused', 'stream.dropping'];
  assert.deepEqual(
    (await eventsSince(service, begun)).filter(({ type }) => bad.includes(type)),
    [],
  );
  await Promise.all([stays.prove(), leaves.prove()]);
});
