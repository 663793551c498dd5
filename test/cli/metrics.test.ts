/** GET /metrics of a real service with an open volume. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestService } from './service.ts';

const service = await TestService.create();
after(() => service.destroy(['main']));

const scrape = async (): Promise<string> => {
  const request = http.get({ socketPath: `${service.base}/run/admin.sock`, path: '/metrics' });
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
  assert.equal(answer.statusCode, 200);
  return text(answer);
};

test('an open volume is there with its size, the room on its host and the work of its block plane', async () => {
  await service.start();
  const made = await service.run(['volume', 'create', 'main', '--size', '64M', '--engine', 'userspace']);
  assert.equal(made.code, 0, made.stderr);
  // The helper looks once a second, and asks the block plane more seldom: its first answer may be older than the first write.
  const written = /^luksblock_requests_total\{volume="main",kind="writes"\} [1-9]/m;
  let page = '';
  for (const until = Date.now() + 30_000; Date.now() < until && !written.test(page); await sleep(300))
    page = (await scrape()).replaceAll('reelvault_', '');
  assert.match(page, /^volume_state\{volume="main",state="open"\} 1$/m);
  // 64 MiB of data behind a header of 16 MiB.
  assert.match(page, /^volume_capacity_bytes\{volume="main"\} 83886080$/m);
  assert.match(page, /^volume_host_available_bytes\{volume="main"\} [1-9]\d+$/m);
  assert.match(page, written);
  assert.match(page, /^luksblock_errors_total\{volume="main",kind="writes"\} 0$/m);
  assert.match(page, /^streams_recording 0$/m);
  const entries = Number(/^audit_entries_total (\d+)$/m.exec(page)?.[1]);
  assert.ok(entries >= 3, `the start and the create are entries: ${entries}`);
});
