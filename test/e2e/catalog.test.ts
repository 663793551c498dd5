/**
 * The catalog in the service as an admin runs it. The daemon is confined in a mount namespace without the volume, so only a database that is
 * opened through the volume's descriptor lies in the volume.
 */
import assert from 'node:assert/strict';
import { mkdtemp, open, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { recorded } from './archive.ts';
import { makeClip, Publisher } from './publisher.ts';
import { Service } from './service.ts';

/** What the catalog came to since `from`, as the log tells it. */
const statesIn = (log: string): string[] =>
  [...log.matchAll(/\{.*"msg":"the catalog[^"]*"\}/g)].map(([line]) => {
    const { state, msg } = JSON.parse(line) as { state?: string; msg: string };
    return state ?? msg;
  });

test('a confined daemon keeps the catalog in the volume, over its own death, and lets go of it', {
  timeout: 300_000,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-catalog-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const clip = await makeClip(folder);
  const service = await Service.make();
  stack.defer(() => service.close());
  const mountPoint = await service.makeVolume();
  const publisher = await Publisher.start(service, 'one', clip);
  stack.defer(() => publisher.close());
  await recorded(service, 'one', 3);

  const file = await open(path.join(mountPoint, '.reelvault/catalog.sqlite'));
  stack.defer(() => file.close());
  const { buffer } = await file.read(Buffer.alloc(15), 0, 15, 0);
  assert.equal(String(buffer), 'SQLite format 3');
  await file.close();
  assert.deepEqual(statesIn(service.log), ['rebuilding', 'ready'], service.log.slice(-4000));

  const seen = service.log.length;
  const started = (): number =>
    service.events.filter((each) => each.event === 'started' && each.part === 'daemon').length;
  const count = started();
  process.kill(service.partPid('daemon'), 'SIGKILL');
  await publisher.ended;
  await service.until(
    () => (started() > count && statesIn(service.log.slice(seen)).length > 0 ? true : undefined),
    'the next daemon and its catalog',
  );
  assert.deepEqual(statesIn(service.log.slice(seen)), ['ready'], 'the one that is there is taken up');
  const now = Math.floor(Date.now() / 1000);
  const ranges = `/one/recording_status.json?from=${now - 86_400}&to=${now + 86_400}&request=ranges`;
  const { json } = await service.request('GET', ranges);
  assert.ok((json as { ranges: unknown[] }[])[0]?.ranges.length, JSON.stringify(json));
  const locked = await service.cli(['volume', 'lock', 'main']);
  assert.equal(locked.exitCode, 0, JSON.stringify(locked.error));
});
