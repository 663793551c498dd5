/** Volumes with real recordings of chosen hours, made by the real recorder. */
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { SignerParams } from '../../src/archive/evidence/signer.ts';
import { indexPath, reelPath, signaturePath } from '../../src/archive/reel.ts';
import { crc32c } from '../../src/native.ts';
import { clip } from '../ingest/clip.ts';
import { Host } from '../ingest/host.ts';

/** 2026-11-21 10:00 UTC. */
export const tenOClock = Date.UTC(2026, 10, 21, 10) / 3_600_000;

export const filesOf = (stream: string, hour: number) => ({
  ts: reelPath(stream, hour),
  idx: indexPath(stream, hour),
  sig: signaturePath(stream, hour),
});

export class RecordedVolume {
  readonly host: Host;
  readonly root: string;
  readonly #clock: { ms: number };

  private constructor(host: Host, clock: { ms: number }) {
    this.host = host;
    this.#clock = clock;
    this.root = path.join(host.directory, 'volume');
  }

  /** `directory`: of a former one, to go on from its state. */
  static async start(directory?: string, signing: Partial<SignerParams> = {}): Promise<RecordedVolume> {
    const clock = { ms: tenOClock * 3_600_000 };
    const host = await Host.start({ now: () => clock.ms, signing, ...(directory === undefined ? {} : { directory }) });
    return new RecordedVolume(host, clock);
  }

  /** Sets the wall clock, seconds after the start of the hour. */
  at(hour: number, seconds = 0): void {
    this.#clock.ms = hour * 3_600_000 + seconds * 1000;
  }

  /** One session of four seconds in the hour. */
  async record(stream: string, hour: number, options: { evidence?: boolean; seconds?: number } = {}): Promise<void> {
    const { evidence = true, seconds = 0 } = options;
    await this.host.recorder.put(stream, { evidence });
    this.at(hour, seconds);
    const session = await this.host.recorder.openSession(stream, 'test');
    session.append((await clip(4)).bytes);
    await session.finish();
  }

  read(name: string): Buffer {
    return readFileSync(path.join(this.root, name));
  }

  write(name: string, bytes: Buffer): void {
    writeFileSync(path.join(this.root, name), bytes);
  }

  /** Runs `look` while one byte of the file is another one. */
  async flipped<T>(name: string, at: number, look: () => T | Promise<T>): Promise<T> {
    const whole = this.read(name);
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] as number) ^ 0x10;
    this.write(name, changed);
    try {
      return await look();
    } finally {
      this.write(name, whole);
    }
  }

  /** Another byte in a segment, with the sums of its record and of the record itself made to fit: only a signature can tell. */
  forge(stream: string, hour: number, number = 1): void {
    const { ts, idx } = filesOf(stream, hour);
    const [reel, index] = [this.read(ts), this.read(idx)];
    const record = index.subarray(96 * (number + 1), 96 * (number + 2));
    const offset = Number(record.readBigUInt64LE(0));
    const segment = reel.subarray(offset, offset + record.readUInt32LE(8));
    segment[1000] = (segment[1000] as number) ^ 0x10;
    record.writeUInt32LE(crc32c(segment), 44);
    createHash('sha256').update(segment).digest().copy(record, 56);
    record.writeUInt32LE(crc32c(record.subarray(0, 92)), 92);
    this.write(ts, reel);
    this.write(idx, index);
  }

  /** Everything of it as it stands, as after a crash at this moment; the caller removes it. */
  copy(): string {
    const to = mkdtempSync(path.join(os.tmpdir(), 'reelvault-copy-'));
    cpSync(this.host.directory, to, { recursive: true });
    return to;
  }

  async stop(): Promise<void> {
    await this.host.stop();
  }
}

export const removeCopy = (directory: string): void => rmSync(directory, { recursive: true, force: true });
