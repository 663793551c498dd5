/** Publishers, well and badly behaved, against the real ingest, recorder and writer. What counts is what is on disk afterwards. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { promisify } from 'node:util';
import type { Segment } from '../../src/archive/segment.ts';
import { crc32c } from '../../src/native.ts';
import { clip, countPackets, play, push } from './clip.ts';
import { Host, until } from './host.ts';

const run = promisify(execFile);

let plain: Host;
let secure: Host;
before(async () => {
  [plain, secure] = await Promise.all([Host.start(), Host.start({ tls: true })]);
});
after(async () => {
  await Promise.all([plain.stop(), secure.stop()]);
});

const idle = (host: Host, stream: string): Promise<void> =>
  until(`${stream} to end`, async () => {
    const known = (await host.recorder.list()).find(({ name }) => name === stream);
    return known !== undefined && !known.recording;
  });

interface Answer {
  readonly status: number;
  readonly body: string;
}

const put = (host: Host, stream: string, bytes: Buffer, headers: Record<string, string> = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const request = http.request(host.url(`/ingest/${stream}`), { method: 'PUT', headers }, (response) => {
      let body = '';
      response.on('data', (text: Buffer) => {
        body += text.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.on('error', reject);
    request.end(bytes);
  });

interface Connection {
  /** What is written to it goes through TLS where that is on. */
  readonly socket: net.Socket;
  readonly tcp: net.Socket;
}

const open = async (host: Host, secured: boolean): Promise<Connection> => {
  const tcp = net.connect({ host: '127.0.0.1', port: host.port });
  const socket = secured ? tls.connect({ socket: tcp, rejectUnauthorized: false }) : tcp;
  await once(socket, secured ? 'secureConnect' : 'connect');
  socket.on('error', () => {}); // the answer may meet a closed socket
  return { socket, tcp };
};

const head = (stream: string): string =>
  `PUT /ingest/${stream} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`;

const chunked = (bytes: Buffer, size = 16_384): Buffer => {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
};

const lastChunk = '0\r\n\r\n';

for (const secured of [false, true]) {
  const name = secured ? 'over TLS' : 'over plain HTTP';
  const host = (): Host => (secured ? secure : plain);

  test(`ffmpeg, 20 times ${name}: the reel is byte for byte what it wrote`, async () => {
    const { file } = await clip(4);
    const written = path.join(os.tmpdir(), `reelvault-written-${process.pid}.ts`);
    await play('ffmpeg', ['-nostdin', '-y', '-i', file, '-map', '0', '-c', 'copy', '-f', 'mpegts', written]);
    const expected = await readFile(written);
    await rm(written);
    for (let turn = 0; turn < 20; turn += 1) {
      const stream = `ffmpeg-${turn}`;
      const { code, stderr } = await push(host().url(`/ingest/${stream}`), file).ended;
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
      await idle(host(), stream);
      assert.ok(
        host().recorded(stream).equals(expected),
        `turn ${turn}: ${host().recorded(stream).length} of ${expected.length}`,
      );
    }
  });

  test(`a socket that closes right after its last chunk, 10 times ${name}`, async () => {
    const { bytes } = await clip(10);
    for (let turn = 0; turn < 10; turn += 1) {
      const stream = `raw-${turn}`;
      const { socket } = await open(host(), secured);
      socket.write(head(stream));
      socket.write(chunked(bytes, 1316 * (turn + 1)));
      socket.end(lastChunk);
      socket.once('finish', () => socket.destroySoon());
      await idle(host(), stream);
      assert.ok(
        host().recorded(stream).equals(bytes),
        `turn ${turn}: ${host().recorded(stream).length} of ${bytes.length}`,
      );
    }
  });

  test(`a connection that breaks off ${name}: all that came in is kept`, async () => {
    const { bytes } = await clip(10);
    for (const [turn, reset] of [false, true, true].entries()) {
      const stream = `broken-${turn}`;
      const cut = bytes.subarray(0, 700_001);
      const { socket, tcp } = await open(host(), secured);
      socket.write(head(stream));
      socket.write(chunked(cut));
      await until('all to be received', async () => {
        const known = (await host().recorder.list()).some(({ name }) => name === stream);
        return known && host().recorder.status(stream).session?.received === cut.length;
      });
      if (reset) tcp.resetAndDestroy();
      else tcp.destroy();
      await idle(host(), stream);
      assert.ok(host().recorded(stream).equals(cut), `${host().recorded(stream).length} of ${cut.length}`);
    }
  });
}

test('a reset at once: a prefix is kept, and the stream is free again', async () => {
  const { bytes } = await clip(10);
  for (let turn = 0; turn < 5; turn += 1) {
    const stream = `reset-${turn}`;
    await plain.recorder.put(stream, {});
    const { socket } = await open(plain, false);
    socket.write(head(stream));
    socket.write(chunked(bytes), () => socket.resetAndDestroy());
    await until(
      'a beginning',
      async () => plain.recorded(stream).length > 0 || !(await plain.recorder.get(stream)).recording,
    );
    await idle(plain, stream);
    const kept = plain.recorded(stream);
    assert.ok(kept.equals(bytes.subarray(0, kept.length)));
  }
});

test('the answer tells what is durable', async () => {
  const { bytes, seconds } = await clip(10);
  const answer = await put(plain, 'told', bytes, { 'content-length': String(bytes.length) });
  assert.equal(answer.status, 200);
  const told = JSON.parse(answer.body) as { stream: string; segments: number; bytes: number; from: number; to: number };
  assert.equal(told.stream, 'told');
  assert.equal(told.bytes, bytes.length);
  assert.ok(told.segments >= 9 && told.segments <= 11, String(told.segments));
  assert.ok(Math.abs(told.to - told.from - seconds) < 0.1, String(told.to - told.from));
  assert.ok(plain.recorded('told').equals(bytes));
});

test('content types mean nothing', async () => {
  const { bytes } = await clip(4);
  for (const [turn, type] of [
    'application/json',
    'video/mp2t',
    'text/plain',
    'not a type',
    'multipart/form-data',
    '',
  ].entries()) {
    const answer = await put(plain, `typed-${turn}`, bytes, { 'content-type': type });
    assert.equal(answer.status, 200, `${type}: ${answer.body}`);
    assert.ok(plain.recorded(`typed-${turn}`).equals(bytes), type);
  }
});

test('a stream that starts in the middle of a packet and ends in one is kept as it came', async () => {
  const { bytes } = await clip(4);
  const torn = bytes.subarray(100, bytes.length - 100);
  for (let turn = 0; turn < 2; turn += 1) assert.equal((await put(plain, 'torn', torn)).status, 200);
  assert.ok(plain.recorded('torn').equals(Buffer.concat([torn, torn])));
});

test('what is no transport stream is refused, and the stream is free again', async () => {
  const { bytes } = await clip(4);
  const garbage = [Buffer.alloc(4 * 1024 * 1024), Buffer.from('{"not":"video"}'), Buffer.alloc(2_000_000, 'moov')];
  for (const [turn, content] of garbage.entries()) {
    const stream = `garbage-${turn}`;
    const answer = await put(plain, stream, content);
    assert.equal(answer.status, 415, answer.body);
    assert.equal((JSON.parse(answer.body) as { error: { code: string } }).error.code, 'not-mpegts');
    await assert.rejects(plain.recorder.get(stream), { code: 'not-found' });
    assert.equal((await put(plain, stream, bytes)).status, 200);
    assert.ok(plain.recorded(stream).equals(bytes));
  }
});

test('names that cannot be a stream', async () => {
  const { bytes } = await clip(4);
  for (const name of ['..%2f..%2fetc', '.reelvault', 'a%00b', 'x'.repeat(64), 'a%2fb'])
    assert.equal((await put(plain, name, bytes)).status, 400, name);
});

/** Publishes without end, at full speed, until an answer has come. */
const publishUntilAnswered = async (host: Host, stream: string, bytes: Buffer, secured = false): Promise<string> => {
  const { socket } = await open(host, secured);
  let answer = '';
  let closed = false;
  socket.on('data', (text: Buffer) => {
    answer += text.toString();
  });
  socket.once('close', () => {
    closed = true;
  });
  socket.write(head(stream));
  const all = chunked(bytes);
  while (!closed && !answer.includes('"retryable"'))
    if (!socket.write(all))
      await Promise.race([
        new Promise((resolve) => socket.once('drain', resolve)),
        new Promise((resolve) => setTimeout(resolve, 50)),
      ]);
  socket.destroy();
  return answer;
};

test('a second publisher is refused while it is still sending, and the first goes on', async () => {
  const { file, bytes, frames } = await clip(4);
  const first = push(plain.url('/ingest/busy'), file, ['-re']);
  try {
    await until('the first publisher', async () =>
      (await plain.recorder.list()).some(({ name, recording }) => name === 'busy' && recording),
    );
    for (let turn = 0; turn < 5; turn += 1) {
      const answer = await publishUntilAnswered(plain, 'busy', bytes);
      assert.match(answer, /^HTTP\/1\.1 409 /, `turn ${turn}: ${answer}`);
      assert.match(answer, /stream-busy/);
      assert.match(answer, /connection: close/i);
    }
  } finally {
    assert.equal((await first.ended).code, 0);
  }
  await idle(plain, 'busy');
  assert.equal(await countPackets(plain.url(`/busy/archive-${await startOf('busy')}-60.m3u8`)), frames);
});

const startOf = async (stream: string): Promise<number> => {
  const [range] = await plain.recorder.archive(stream).ranges(stream, 0, Number.MAX_SAFE_INTEGER);
  return Math.floor((range?.startUs ?? 0) / 1e6);
};

for (const secured of [false, true])
  test(`a publisher that closes its side after the last chunk still gets its answer, ${secured ? 'TLS' : 'plain'}`, async () => {
    const { bytes } = await clip(10);
    const host = secured ? secure : plain;
    const { socket } = await open(host, secured);
    let answer = '';
    socket.on('data', (text: Buffer) => {
      answer += text.toString();
    });
    socket.write(head('half-closed'));
    socket.write(chunked(bytes));
    socket.end(lastChunk);
    await once(socket, 'close');
    assert.match(answer, /^HTTP\/1\.1 200 .*"stream":"half-closed"/s);
    assert.ok(host.recorded('half-closed').equals(bytes));
  });

test('a publisher that reads only when it has sent everything gets its refusal, not a reset', async () => {
  const { bytes } = await clip(10);
  const session = await plain.recorder.openSession('taken', 'test');
  try {
    for (let turn = 0; turn < 3; turn += 1) {
      const { socket } = await open(plain, false);
      let failure = '';
      socket.on('error', (error) => {
        failure = error.message;
      });
      socket.pause();
      socket.write(head('taken'));
      for (let part = 0; part < 6; part += 1) await new Promise((resolve) => socket.write(chunked(bytes), resolve));
      await new Promise((resolve) => socket.write(lastChunk, resolve));
      assert.equal(failure, '');
      const [answer] = (await once(socket.resume(), 'data')) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1\.1 409 /);
      socket.destroy();
    }
  } finally {
    await session.finish();
  }
});

test('an early refusal reaches a sending publisher over TLS as well', async () => {
  const answer = await publishUntilAnswered(secure, 'not%2fa%2fname', (await clip(4)).bytes, true);
  assert.match(answer, /^HTTP\/1\.1 400 .*invalid-argument/s);
});

test('a publisher that stalls is let go with an answer, and what came in is kept', async () => {
  const host = await Host.start({ idleMs: 300 });
  try {
    const { bytes } = await clip(4);
    const { socket } = await open(host, false);
    let answer = '';
    socket.on('data', (text: Buffer) => {
      answer += text.toString();
    });
    socket.write(head('stalled'));
    socket.write(chunked(bytes.subarray(0, 188 * 1000)));
    await new Promise((resolve) => socket.once('close', resolve));
    assert.match(answer, /^HTTP\/1\.1 408 .*publisher-stalled/s);
    assert.ok(host.recorded('stalled').equals(bytes.subarray(0, 188 * 1000)));
    assert.equal((await put(host, 'stalled', bytes)).status, 200);
  } finally {
    await host.stop();
  }
});

test('a staging area far smaller than the stream holds the publisher back and loses nothing', async () => {
  const host = await Host.start({ stagingBytes: 8 * 1024 * 1024 });
  try {
    const { bytes } = await clip(10);
    const many = Buffer.concat(Array.from({ length: 60 }, () => bytes));
    const answer = await put(host, 'flood', many);
    assert.equal(answer.status, 200, answer.body);
    assert.ok(host.recorded('flood').equals(many));
  } finally {
    await host.stop();
  }
});

test('a full volume: the publisher is told, what was acknowledged stays, and the next one finds the stream in order', async () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-full-'));
  const volume = path.join(directory, 'volume');
  mkdirSync(volume);
  // A file system of its own, small enough to fill.
  await run('mkfs.ext4', ['-q', '-F', path.join(directory, 'disk'), '24M']);
  await run('mount', ['-o', 'loop', path.join(directory, 'disk'), volume]);
  try {
    // What is sent as fast as it is taken holds minutes: all of it shall lie in the reel of one hour.
    const begun = Date.now();
    const host = await Host.start({ directory, now: () => 500_000 * 3_600_000 + Date.now() - begun });
    try {
      const { bytes } = await clip(10);
      const durable: Segment[] = [];
      host.recorder.on('durable', (_stream, segments) => durable.push(...segments));
      const answer = await publishUntilAnswered(host, 'full', bytes);
      assert.match(answer, /^HTTP\/1\.1 507 .*no-space/s);
      assert.ok(durable.length > 0);
      const kept = host.recorded('full');
      for (const { offset, length, crc32c: sum } of durable)
        assert.equal(crc32c(kept.subarray(offset, offset + length)), sum);
      const archive = host.recorder.archive('full');
      const named = (await Array.fromAsync(archive.parts('full', 0, Number.MAX_SAFE_INTEGER))).flatMap(({ reel }) => [
        ...reel,
      ]);
      assert.deepEqual(named.slice(0, durable.length), durable);
      assert.equal((await publishUntilAnswered(host, 'full', bytes)).slice(0, 12), 'HTTP/1.1 507');
    } finally {
      await host.stop();
    }
  } finally {
    await run('umount', [volume]);
    rmSync(directory, { recursive: true, force: true });
  }
});

test('a name that would hide routes of the service is refused', async () => {
  for (const name of ['api', 'ingest']) {
    const { status, body } = await put(plain, name, (await clip(4)).bytes);
    assert.deepEqual([status, JSON.parse(body).error.code], [400, 'invalid-argument'], name);
    assert.equal(
      (await plain.recorder.list()).some((stream) => stream.name === name),
      false,
    );
  }
});
