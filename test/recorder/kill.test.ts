/** The recorder's process dies in mid-recording; what it had reported durable must be there for the next one. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Segment } from '../../src/archive/segment.ts';
import { crc32c } from '../../src/native.ts';
import { clip, countPackets, push } from '../ingest/clip.ts';
import { Host, until } from '../ingest/host.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-kill-'));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

interface Reported {
  readonly port: number;
  readonly child: ChildProcess;
  readonly segments: Segment[];
}

const startChild = async (): Promise<Reported> => {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'recording-child.ts'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const segments: Segment[] = [];
  let text = '';
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the child ended')));
    child.stdout?.on('data', (more: Buffer) => {
      const lines = (text + more.toString()).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const told = JSON.parse(line) as { port?: number; segments?: Segment[] };
        if (told.port !== undefined) resolve(told.port);
        segments.push(...(told.segments ?? []));
      }
    });
  });
  return { port, child, segments };
};

test('killed three times in mid-recording: every reported segment is there, byte for byte, and the stream goes on', async () => {
  const { file } = await clip(10);
  const reported: Segment[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    const host = await startChild();
    const publisher = push(`http://127.0.0.1:${host.port}/ingest/cam`, file, ['-re', '-stream_loop', '-1']);
    try {
      await until('some segments', () => host.segments.length >= 3);
      host.child.kill('SIGKILL');
      await once(host.child, 'close');
    } finally {
      publisher.kill('SIGKILL');
      await publisher.ended;
    }
    reported.push(...host.segments);
    assert.ok(existsSync(path.join(directory, 'volume/.reelvault/open/cam')), 'a marker says which reel was open');
  }

  const host = await Host.start({ directory });
  try {
    assert.deepEqual(readdirSync(path.join(directory, 'volume/.reelvault/open')), []);
    const archive = host.recorder.archive('cam');
    const recorded = host.recorded('cam');
    const parts = await Array.fromAsync(archive.parts('cam', 0, Number.MAX_SAFE_INTEGER));
    const found = parts.flatMap((part) => part.reel.slice(part.first, part.end));
    const reels = new Map<number, Buffer>();
    let at = 0;
    for (const { hour, reel } of parts) {
      const last = reel.at(-1) as Segment;
      reels.set(hour, recorded.subarray(at, at + last.offset + last.length));
      at += last.offset + last.length;
    }
    assert.equal(at, recorded.length, 'the index names every byte that is left');
    for (const segment of reported) {
      const kept = found.find((one) => one.hour === segment.hour && one.offset === segment.offset);
      assert.deepEqual(kept, segment);
      const bytes = (reels.get(segment.hour) as Buffer).subarray(segment.offset, segment.offset + segment.length);
      assert.equal(crc32c(bytes), segment.crc32c);
    }
    for (const [place, segment] of found.entries()) {
      const next = found[place + 1];
      assert.ok(
        next === undefined || next.startUs >= segment.startUs + Math.floor((segment.duration * 100) / 9),
        'time never overlaps',
      );
    }
    const from = Math.floor((found[0] as Segment).startUs / 1e6);
    assert.ok((await countPackets(host.url(`/cam/archive-${from}-600.m3u8`))) >= reported.length * 25);
  } finally {
    await host.stop();
  }
});
