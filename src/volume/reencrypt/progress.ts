/** What the process that reencrypts a container says. */
import { open } from 'node:fs/promises';
import path from 'node:path';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { VolumeContext } from '../context.ts';

/** cryptsetup writes its numbers as strings. */
const digits = Type.String({ pattern: '^\\d{1,18}$' });
const lineSchema = Type.Object({ device_bytes: digits, device_size: digits, speed: digits, eta_ms: digits });

export interface Progress {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly remainingMs: number;
}

export const outputOf = (context: VolumeContext, uuid: string): string =>
  path.join(context.layout.reencryptions, `${uuid}.log`);

/** The last bytes of what it wrote: enough for its last line of progress and its last words. */
const tail = 4096;

const lastLines = async (file: string): Promise<string[]> => {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (handle === undefined) return [];
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(Math.min(size, tail));
    await handle.read(bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8').split('\n').filter(Boolean);
  } finally {
    await handle.close();
  }
};

const parse = (line: string): Progress | undefined => {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined; // words, or a line cut by the tail
  }
  if (!Value.Check(lineSchema, json)) return undefined;
  const { device_bytes: done, device_size: total, speed, eta_ms: eta } = json;
  return {
    doneBytes: Number(done),
    totalBytes: Number(total),
    bytesPerSecond: Number(speed),
    remainingMs: Number(eta),
  };
};

/** How far it is, and the last thing it said that is no progress. Null for nothing. */
export const readProgress = async (
  context: VolumeContext,
  uuid: string,
): Promise<{ readonly progress: Progress | null; readonly words: string | null }> => {
  const lines = (await lastLines(outputOf(context, uuid))).toReversed();
  const progress = lines.map(parse).find((each) => each !== undefined) ?? null;
  return { progress, words: lines.find((line) => !line.startsWith('{') && parse(line) === undefined) ?? null };
};
