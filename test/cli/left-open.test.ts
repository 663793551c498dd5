import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { leftOpenInWords, openVolumes } from '../../src/cli/left-open.ts';

test('the last words of a service name what stays mounted, and how it is closed', () => {
  assert.equal(leftOpenInWords([]), 'stopped');
  const text = leftOpenInWords([
    { name: 'main', mountPoint: '/mount/main' },
    { name: 'cams', mountPoint: '/mount/cams' },
  ]);
  assert.match(text, /main at \/mount\/main\n {2}cams at \/mount\/cams\n/);
  assert.match(text, /reelvault volume lock main && reelvault volume lock cams/);
});

test('a daemon that is away or does not answer does not keep the service from stopping', async (t) => {
  const runtime = await mkdtemp(path.join(tmpdir(), 'left-open-'));
  t.after(() => rm(runtime, { recursive: true }));
  assert.deepEqual(await openVolumes(runtime), []);
  const mute = net.createServer();
  t.after(() => mute.close());
  mute.listen(path.join(runtime, 'admin.sock'));
  const sockets: net.Socket[] = [];
  mute.on('connection', (socket) => sockets.push(socket));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  assert.deepEqual(await openVolumes(runtime), []);
});
