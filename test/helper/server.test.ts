/** The privileged end of the socket against peers that are strangers, hostile, slow or gone. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, existsSync } from 'node:fs';
import { chmod, copyFile, readdir, readFile, stat } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import pino from 'pino';
import { HelperClient } from '../../src/helper/client.ts';
import { decodeAnswer, encodeRequest, maxJson, maxSecrets } from '../../src/helper/framing.ts';
import { helperSocket, startHelper } from '../../src/helper/start.ts';
import { parseRequest } from '../../src/helper/verbs.ts';
import { createRequest, type Helper, openRequest, Place, service, size } from './harness.ts';

let place: Place;
let helper: Helper;
before(async () => {
  place = await Place.make();
  helper = await place.helper();
});
after(() => place.destroy());

const connect = async (): Promise<Socket> => {
  const socket = createConnection({ path: helperSocket(place.runtime), allowHalfOpen: true });
  socket.on('error', () => {}); // the helper may close first
  await once(socket, 'connect');
  return socket;
};

/** Sends bytes as they are; the answer's JSON, or null for a closed connection. */
const raw = async (bytes: Uint8Array): Promise<unknown> => {
  const socket = await connect();
  const pieces: Buffer[] = [];
  socket.on('data', (piece) => pieces.push(piece));
  socket.end(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  const reply = Buffer.concat(pieces);
  return reply.length === 0 ? null : decodeAnswer(reply);
};

const codeOf = (answer: unknown): string => (answer as { error: { code: string } }).error.code;
const alive = async (): Promise<void> => {
  assert.equal((await helper.client.call({ verb: 'probe' })).result.pid, helper.pid);
};

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

test('probe says which engines work and why others do not', async () => {
  const { result } = await helper.client.call({ verb: 'probe' });
  assert.deepEqual(result.datapath, [place.storage, place.mounts]);
  for (const engine of Object.values(result.engines)) assert.ok(engine.usable || engine.reason.length > 0);
});

test('frames that are none get an error or a closed connection, and the helper goes on', async () => {
  const json = (text: string): Buffer => Buffer.concat([u32(Buffer.byteLength(text)), Buffer.from(text), u32(0)]);
  for (const frame of [u32(maxJson + 1), u32(0xffffffff), json('{'), json('\xff'), json('')]) {
    assert.equal(codeOf(await raw(frame)), 'helper-protocol');
  }
  assert.equal(codeOf(await raw(Buffer.concat([u32(2), Buffer.from('{}'), u32(maxSecrets + 1)]))), 'helper-protocol');
  assert.equal(
    codeOf(await raw(Buffer.concat([encodeRequest({ verb: 'probe' }), Buffer.from('x')]))),
    'helper-protocol',
  );
  for (const text of ['null', '[]', '7', '"probe"', '{}', '{"verb":"rm"}', '{"verb":"__proto__"}', '{"verb":{}}']) {
    assert.equal(codeOf(await raw(json(text))), 'invalid-argument', text);
  }
  assert.equal(await raw(Buffer.alloc(0)), null);
  assert.equal(await raw(u32(100)), null);
  await alive();
});

test('random bytes never end it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      await raw(bytes);
    }),
    { numRuns: 60 },
  );
  await alive();
});

test('values out of the schemas are refused before anything is touched', () => {
  const create = createRequest('userspace');
  const wrong: unknown[] = [
    ...['', '.', '..', '../x', 'a/b', '-x', 'A', 'x'.repeat(64), 'a\0b', 'a b'].map((name) => ({ ...create, name })),
    ...[0, -4096, 4096, size + 1, 1e300, Number.NaN].map((bytes) => ({ ...create, size: bytes })),
    { ...create, engine: 'other' },
    { ...create, pbkdf: { type: 'pbkdf2', iterations: 1000 } },
    { ...create, crashAfter: 'key' },
    { ...openRequest('userspace'), container: 'relative' },
    { verb: 'lock' },
  ];
  for (const request of wrong) assert.throws(() => parseRequest(request), { code: 'invalid-argument' });
  assert.deepEqual(parseRequest(create), create);
  assert.throws(() => parseRequest({ ...create, name: 'A' }), {
    message: /^Expected name of create to be a name of at most 63 characters.*, got "A"$/,
  });
  assert.throws(() => parseRequest({ ...create, size: size + 1 }), {
    message: /^Expected size of create to be a multiple of 4096, got 67108865$/,
  });
});

test('a secret where none belongs is refused', async () => {
  const stray = Buffer.from('secret');
  await assert.rejects(helper.client.call(createRequest('userspace'), stray), { code: 'invalid-argument' });
  await assert.rejects(helper.client.call({ verb: 'probe' }, stray), { code: 'invalid-argument' });
  assert.deepEqual(await readdir(path.join(place.storage, 'containers')), []);
});

const clientAs = async (uid: number, gid: number): Promise<string> => {
  const code = `
    const socket = require('node:net').createConnection(process.argv[1]);
    socket.on('error', (error) => console.log(error.code));
    socket.on('connect', () => socket.end(Buffer.from(process.argv[2], 'hex')));
    socket.on('data', (data) => process.stdout.write(data.subarray(4)));`;
  const frame = encodeRequest({ verb: 'probe' }).toString('hex');
  const args = ['-e', code, helperSocket(place.runtime), frame];
  // A copy: the checkout may lie where others cannot search, in root's home.
  const node = path.join(place.root, 'node');
  await copyFile(process.execPath, node, constants.COPYFILE_FICLONE);
  const child = spawn(node, args, { uid, gid, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] });
  const pieces: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  await once(child, 'close');
  return Buffer.concat(pieces).toString();
};

test('the socket is for the service and root: by its mode, and by who connects', async () => {
  const socket = await stat(helperSocket(place.runtime));
  assert.deepEqual([socket.mode & 0o777, socket.uid, socket.gid], [0o660, 0, service.gid]);
  for (const directory of [place.root, place.runtime]) await chmod(directory, 0o755);
  const ok = JSON.parse(await clientAs(service.uid, service.gid)) as { ok: boolean };
  assert.equal(ok.ok, true);
  assert.match(await clientAs(65_534, 65_534), /EACCES/);
  await chmod(helperSocket(place.runtime), 0o666);
  assert.equal(codeOf(JSON.parse(await clientAs(65_534, 65_534))), 'forbidden');
  // the service's group alone is not the service
  assert.equal(codeOf(JSON.parse(await clientAs(65_534, service.gid))), 'forbidden');
});

test('a peer that sends half a request is let go; many of them do not keep others out', async () => {
  const runtime = path.join(place.root, 'impatient');
  const log = pino({ level: 'silent' });
  const server = await startHelper({ datapath: [place.storage], runtime, service, log, frameTimeoutMs: 50 });
  try {
    const sockets = await Promise.all(
      Array.from({ length: 80 }, async () => {
        const socket = createConnection(helperSocket(runtime));
        socket.on('error', () => {});
        socket.write(u32(100));
        await new Promise((resolve) => socket.once('close', resolve));
        return socket;
      }),
    );
    assert.ok(sockets.every((socket) => socket.destroyed));
    const { result } = await new HelperClient({ socketPath: helperSocket(runtime) }).call({ verb: 'probe' });
    assert.equal(result.pid, process.pid);
  } finally {
    await server.close();
  }
});

test('a second helper for the same socket is refused', async () => {
  const log = pino({ level: 'silent' });
  const again = startHelper({ datapath: [place.storage, place.mounts], runtime: place.runtime, service, log });
  await assert.rejects(again, { code: 'already-exists' });
  await alive();
});

const untilState = async (name: string, state: string): Promise<void> => {
  for (let found = ''; found !== state; ) {
    await sleep(20);
    found = (await helper.client.call({ verb: 'inspect', name, descriptor: false })).result.state;
  }
};

test('a verb whose caller goes away runs to its end, with its secret', async () => {
  const socket = await connect();
  const passphrase = Buffer.from('correct horse');
  socket.write(encodeRequest(createRequest('userspace', { name: 'left', key: 'passphrase' }), [passphrase]));
  await sleep(50);
  socket.destroy();
  await untilState('left', 'locked');
  const open = openRequest('userspace', { name: 'left', key: 'passphrase' });
  const { result, fd } = await helper.client.call(open, passphrase);
  closeSync(fd);
  assert.equal(result.state, 'open');
  await helper.client.call({ verb: 'lock', name: 'left' });
});

test('the passphrase is nowhere: not in an argument, not in the environment of a child, not in the answer', async () => {
  const passphrase = Buffer.from(`needle-${process.pid}-haystack`);
  const seen: string[] = [];
  const end = new AbortController();
  const watch = (async () => {
    while (!end.signal.aborted) {
      for (const pid of (await readdir('/proc')).filter((each) => /^\d+$/.test(each))) {
        for (const file of ['cmdline', 'environ']) {
          const text = await readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '');
          if (text.includes(passphrase.toString())) seen.push(`${pid} ${file}`);
        }
      }
    }
  })();
  const request = createRequest('userspace', { name: 'hidden', key: 'passphrase', open: true });
  const { result, fd } = await helper.client.call(request, passphrase);
  closeSync(fd);
  const wrong = helper.client.call(openRequest('userspace', { name: 'left', key: 'passphrase' }), passphrase);
  await assert.rejects(wrong, { code: 'wrong-key' });
  end.abort();
  await watch;
  assert.deepEqual(seen, []);
  assert.ok(!JSON.stringify(result).includes('needle'));
});

test('SIGTERM ends it after the verb that runs; its volumes stay open', async () => {
  const creating = helper.client.call(createRequest('userspace', { name: 'last' }));
  while (!existsSync(path.join(place.storage, 'containers/.last.luks.creating'))) await sleep(5);
  await helper.stop();
  assert.equal((await creating).result.state, 'locked');
  assert.equal(await helper.ended, 0);
  await assert.rejects(helper.client.call({ verb: 'probe' }), { code: 'helper-unavailable' });
  helper = await place.helper();
  const { result } = await helper.client.call({ verb: 'inspect', name: 'hidden', descriptor: false });
  assert.equal(result.state, 'open');
});
