/** The receiver of docs/events.md, run as it stands there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { EventBus } from '../../../src/events/bus.ts';
import { Webhook } from '../../../src/events/webhook/webhook.ts';

const page = path.resolve(import.meta.dirname, '../../../docs/events.md');

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

test('the example takes what the service signs, refuses what somebody else does, and drops what comes twice', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-example-'));
  t.after(() => rm(folder, { recursive: true }));
  const secretFile = path.join(folder, 'secret');
  await writeFile(secretFile, `${'5f'.repeat(32)}\n`);
  const [, program = ''] = /```js\n([\s\S]*?)```/.exec(await readFile(page, 'utf8')) ?? [];
  const port = await freePort();
  const file = path.join(folder, 'receiver.mjs');
  await writeFile(file, program.replace('/etc/reelvault/webhook', secretFile));
  const child = spawn(process.execPath, [file, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });

  const log = pino({ level: 'silent' });
  const bus = new EventBus({ now: Date.now, log });
  const hook = (secret: string): Webhook => {
    const webhook = new Webhook({
      ...{ urls: [`http://127.0.0.1:${port}/`], types: [], ca: null, userAgent: 'reelvault/test', bus, now: Date.now },
      ...{ secrets: Buffer.from(secret), log, limits: { firstMs: 5, longestMs: 20 } },
    });
    t.after(() => webhook.close(0));
    return webhook;
  };
  const right = hook(`${'5f'.repeat(32)}\n`);
  const both = hook(`${'0'.repeat(64)}\n${'5f'.repeat(32)}\n`);
  const heard: unknown[] = [];
  lines.on('line', (line) => heard.push(JSON.parse(line)));
  // Two post the same events.
  for (const webhook of [right, both]) webhook.start();
  const sent = ['locked', 'open'].map((state) => ({
    ...bus.publish({ type: 'volume.state', volume: 'main', facts: { state } }),
    missed: 0,
  }));
  for (const webhook of [right, both]) while (webhook.status()[0]?.delivered !== 2) await sleep(5);
  while (heard.length < 2) await sleep(5);
  const answers = async (webhook: Webhook) => (await webhook.test()).map(({ status }) => status);
  assert.deepEqual(await answers(hook('0'.repeat(64))), [401]);
  assert.deepEqual(await answers(right), [204]);
  assert.deepEqual(await answers(both), [204], 'one of two signatures is right');
  // The two test events come after these.
  while (heard.length < 4) await sleep(5);
  assert.deepEqual(heard.slice(0, 2), sent);
});
