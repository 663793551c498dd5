/** What the writer's tests share: a volume in a temporary directory, a small real clip, and a writer that notes its events. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { decodeIndex, NativeWriter, type ReelIndex, type WriterEvent, type WriterOptions } from '../../src/native.ts';

/** 2026-11-21T14:00:00Z in µs. */
export const hour = Date.UTC(2026, 10, 21, 14) * 1000;

export const makeClip = (file: string, args: readonly string[] = [], seconds = 8): Buffer => {
  const video = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25', '-c:v', 'libx264', '-preset', 'ultrafast'];
  const audio = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'];
  const shape = ['-pix_fmt', 'yuv420p', '-b:v', '400k', '-g', '25', '-keyint_min', '25', '-sc_threshold', '0'];
  const inputs = [...video.slice(0, 4), ...audio, '-t', String(seconds)];
  const output = [...video.slice(4), ...shape, '-c:a', 'aac', '-b:a', '64k', ...args, '-f', 'mpegts', file];
  execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...inputs, ...output]);
  return readFileSync(file);
};

export interface Ground {
  readonly dir: string;
  readonly fd: number;
  readonly events: WriterEvent[];
  readonly writer: NativeWriter;
  readonly volume: number;
  /** Reels of the volume, oldest first. */
  reels(): string[];
  bytes(reel: string): Buffer;
  index(reel: string): ReelIndex;
}

export const makeGround = (t: Pick<TestContext, 'after'>, options: WriterOptions = {}, base = os.tmpdir()): Ground => {
  const dir = mkdtempSync(path.join(base, 'rv-writer-'));
  const fd = openSync(dir, 'r');
  const events: WriterEvent[] = [];
  const writer = new NativeWriter({ commitIntervalMs: 20, ...options }, (batch) => events.push(...batch));
  t.after(async () => {
    await writer.close();
    closeSync(fd);
    rmSync(dir, { recursive: true, force: true });
  });
  const bytes = (reel: string): Buffer => readFileSync(path.join(dir, reel));
  return {
    dir,
    fd,
    events,
    writer,
    volume: writer.addVolume(fd),
    reels: () =>
      readdirSync(dir, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .sort(),
    bytes,
    index: (reel) => decodeIndex(bytes(reel.replace(/\.ts$/, '.idx')), bytes(reel).length),
  };
};

/** Gives `bytes` to the stream in pieces of `size`, waiting for `drain` as a publisher's socket would. */
export const feed = async (
  ground: Ground,
  stream: number,
  bytes: Buffer,
  size: number,
  nowUs: number,
): Promise<void> => {
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.subarray(at, at + size);
    if (ground.writer.append(stream, piece, nowUs) >= 0) at += piece.length;
    else await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
