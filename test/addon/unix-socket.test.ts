import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { callUnixSocket, peerCredentials, sendWithFd } from '../../src/native.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'socket-'));
const servers: Server[] = [];
const children: ChildProcess[] = [];
after(() => {
  for (const server of servers) server.close();
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

const descriptorOf = (socket: Socket): number => (socket as unknown as { _handle: { fd: number } })._handle.fd;
/** How many of our descriptors are of this file. */
const descriptorsOf = (file: string): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === file;
    } catch {
      return false; // the one that lists
    }
  }).length;

/** A server that hands each connection to `answer` once `bytes` have come. Returns its path. */
const serve = async (bytes: number, answer: (socket: Socket, request: Buffer) => void): Promise<string> => {
  const name = path.join(directory, `${servers.length}.sock`);
  const server = createServer((socket) => {
    let request = Buffer.alloc(0);
    socket.on('error', () => {});
    const data = (chunk?: Buffer): void => {
      if (chunk !== undefined) request = Buffer.concat([request, chunk]);
      if (request.length >= bytes) {
        socket.off('data', data);
        answer(socket, request);
      }
    };
    if (bytes === 0) data();
    else socket.on('data', data);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(name, resolve));
  return name;
};

test('request and reply of many pieces', async () => {
  const request = Buffer.alloc(3_000_000, 'request ');
  const name = await serve(request.length, (socket, got) => socket.end(Buffer.concat([got, got])));
  const { reply, fd } = await callUnixSocket(name, request, 20_000);
  assert.equal(fd, -1);
  assert.ok(reply.equals(Buffer.concat([request, request])));
});

test('a descriptor comes along, and is ours', async () => {
  writeFileSync(path.join(directory, 'data'), 'by descriptor');
  const name = await serve(1, (socket) => {
    const file = openSync(path.join(directory, 'data'), 'r');
    sendWithFd(descriptorOf(socket), Buffer.from('take it'), file);
    closeSync(file);
    socket.end();
  });
  const { reply, fd } = await callUnixSocket(name, Buffer.from('?'), 20_000);
  assert.equal(reply.toString(), 'take it');
  assert.equal(readFileSync(fd, 'utf8'), 'by descriptor');
  assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /^flags:\t02[0-7]+$/m); // close-on-exec
  closeSync(fd);
});

test('further descriptors are closed', async () => {
  const name = await serve(1, (socket) => {
    for (const text of ['a', 'b', 'c']) {
      const file = openSync(path.join(directory), 'r');
      sendWithFd(descriptorOf(socket), Buffer.from(text), file);
      closeSync(file);
    }
    socket.end();
  });
  const { reply, fd } = await callUnixSocket(name, Buffer.from('?'), 20_000);
  assert.equal(reply.toString(), 'abc');
  assert.ok(fstatSync(fd).isDirectory());
  assert.equal(descriptorsOf(directory), 1);
  closeSync(fd);
});

test('the peer is who the kernel says', async () => {
  const seen = Promise.withResolvers<object>();
  const name = await serve(1, (socket) => {
    seen.resolve(peerCredentials(descriptorOf(socket)));
    socket.end();
  });
  const program = `
    process.setgid(65534); process.setuid(65534);
    require('node:net').connect(${JSON.stringify(name)}).end('x');`;
  const { chmodSync } = await import('node:fs');
  chmodSync(directory, 0o755);
  chmodSync(name, 0o777);
  const child = spawn(process.execPath, ['-e', program], { stdio: 'inherit' });
  children.push(child);
  assert.deepEqual(await seen.promise, { pid: child.pid, uid: 65534, gid: 65534 });
  assert.throws(() => peerCredentials(0x7ffffff), { code: 'EBADF', syscall: 'getsockopt' });
});

test('a server that is not there, that says nothing, too much, or refuses early', async () => {
  await assert.rejects(callUnixSocket(path.join(directory, 'none'), Buffer.from('?'), 20_000), {
    code: 'ENOENT',
    syscall: 'connect',
  });
  const silent = await serve(1, () => {});
  await assert.rejects(callUnixSocket(silent, Buffer.from('?'), 200), { code: 'ETIMEDOUT' });
  const endless = await serve(1, (socket) => {
    socket.write(Buffer.alloc(17 << 20));
  });
  await assert.rejects(callUnixSocket(endless, Buffer.from('?'), 20_000), { code: 'EMSGSIZE' });
  const deaf = await serve(0, (socket) => {
    socket.write('refused', () => socket.destroy());
  });
  const { reply } = await callUnixSocket(deaf, Buffer.alloc(4 << 20), 20_000);
  assert.equal(reply.toString(), 'refused');
});

test('many calls at once, without the pool that files need', async () => {
  const name = await serve(1, (socket) => setTimeout(() => socket.end('late'), 300));
  const calls = Array.from({ length: 16 }, () => callUnixSocket(name, Buffer.from('?'), 20_000));
  const { readFile } = await import('node:fs/promises');
  let settled = false;
  const all = Promise.all(calls).then((replies) => {
    settled = true;
    return replies;
  });
  await readFile(path.join(directory, 'data'));
  assert.equal(settled, false);
  assert.ok((await all).every(({ reply }) => reply.toString() === 'late'));
});

test('a full socket is waited for, but not for ever', async () => {
  const name = await serve(1, (socket) => {
    socket.pause();
    assert.throws(() => sendWithFd(descriptorOf(socket), Buffer.alloc(16 << 20), -1, 200), { code: 'ETIMEDOUT' });
    socket.destroy();
  });
  const client = connect(name);
  client.pause();
  client.write('x');
  await new Promise((resolve) => client.once('close', resolve).resume());
});

test('what is refused before the native layer is asked', () => {
  assert.throws(() => callUnixSocket('x'.repeat(108), Buffer.from('?'), 1_000), TypeError);
  assert.throws(() => callUnixSocket('/tmp/x', Buffer.from('?'), 0), TypeError);
  assert.throws(() => sendWithFd(3, Buffer.alloc(0), -1), TypeError);
  assert.throws(() => peerCredentials(-1), TypeError);
});
