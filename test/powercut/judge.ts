/** Compares what a volume serves after a power cut with what had been told durable before, and with what the publishers had sent. */
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { hourPath } from '../../src/archive/reel.ts';
import type { Segment } from '../../src/archive/segment.ts';
import { crc32c } from '../../src/native.ts';
import type { Recorder } from '../../src/recorder/recorder.ts';
import type { Recording } from './recording.ts';
import type { Told } from './recording-child.ts';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** What publishers sent into one reel: the bytes of the clip from `clip` on lie in the reel from `reel` on. */
interface Source {
  readonly reel: number;
  readonly clip: number;
}

export interface Acknowledged {
  readonly position: number;
  readonly stream: string;
  readonly segment: Segment;
  readonly sha256: string;
}

/** Where each stream's bytes belong. */
export class Truth {
  readonly acknowledged: readonly Acknowledged[];
  readonly #clips: ReadonlyMap<string, Buffer>;
  readonly #sources = new Map<string, Source[]>();

  /** The segments of a session follow each other in the bytes it sent, from the first on: so each that was told says where it came from. */
  constructor({ told, clips }: Pick<Recording, 'told' | 'clips'>) {
    this.#clips = clips;
    const next = new Map<string, number>();
    this.acknowledged = told.flatMap(({ position, stream, begin, segments }: Told) =>
      segments.map((segment) => {
        const session = `${stream} ${begin}`;
        const clip = next.get(session) ?? begin;
        next.set(session, clip + segment.length);
        const sources = this.#sourcesOf(stream, segment.hour);
        const source = { reel: segment.offset, clip };
        if (!sources.some((known) => known.clip - known.reel === clip - segment.offset)) sources.push(source);
        return { position, stream, segment, sha256: sha256(this.#slice(stream, clip, segment.length)) };
      }),
    );
  }

  /** Whether a publisher sent just these bytes, and they belong there. */
  holds(stream: string, { hour, offset, length }: Segment, bytes: Buffer): boolean {
    return this.#sourcesOf(stream, hour).some(
      ({ reel, clip }) => offset >= reel && this.#slice(stream, clip + offset - reel, length).equals(bytes),
    );
  }

  #slice(stream: string, from: number, length: number): Buffer {
    return this.#clips.get(stream)?.subarray(from, from + length) ?? Buffer.alloc(0);
  }

  #sourcesOf(stream: string, hour: number): Source[] {
    const reel = `${stream} ${hour}`;
    const sources = this.#sources.get(reel) ?? [];
    this.#sources.set(reel, sources);
    return sources;
  }
}

export interface Verdict {
  /** Each in words. */
  readonly lost: readonly string[];
  readonly wrong: readonly string[];
  /** Segments that were served, and looked at byte for byte. */
  readonly served: number;
}

interface Served {
  readonly segment: Segment;
  readonly sha256: string;
}

/** Every segment of the stream, read the way playback reads it. */
const everything = async (recorder: Recorder, stream: string): Promise<{ segment: Segment; bytes: Buffer }[]> => {
  const found: { segment: Segment; bytes: Buffer }[] = [];
  if (recorder.hasRecordings(stream, 'main') !== true) return found;
  const archive = recorder.archive(stream);
  for await (const { hour, reel, first, end } of archive.parts(stream, 0, Number.MAX_SAFE_INTEGER)) {
    const segments = reel.slice(first, end);
    const last = segments.at(-1);
    if (last === undefined) continue;
    const bytes = await buffer(archive.read(stream, hour, 0, last.offset + last.length - 1));
    for (const segment of segments)
      found.push({ segment, bytes: bytes.subarray(segment.offset, segment.offset + segment.length) });
  }
  return found;
};

const describe = (stream: string, { hour, sequence, offset, length }: Segment): string =>
  `${stream} ${hourPath(hour)} segment ${sequence}, ${length} bytes at ${offset}`;

/** `due`: what had been told durable when the power was cut. */
export const judge = async (
  recorder: Recorder,
  truth: Truth,
  due: readonly Acknowledged[],
  streams: readonly string[],
): Promise<Verdict> => {
  const lost: string[] = [];
  const wrong: string[] = [];
  let served = 0;
  for (const stream of streams) {
    const mine = due.filter((one) => one.stream === stream);
    const found = new Map<string, Served>();
    for (const { segment, bytes } of await everything(recorder, stream)) {
      served += 1;
      found.set(`${segment.hour} ${segment.offset}`, { segment, sha256: sha256(bytes) });
      if (!truth.holds(stream, segment, bytes)) wrong.push(`${describe(stream, segment)}: not what was sent`);
      else if (crc32c(bytes) !== segment.crc32c) wrong.push(`${describe(stream, segment)}: its CRC is another`);
    }
    for (const { segment, sha256: sum } of mine) {
      const now = found.get(`${segment.hour} ${segment.offset}`);
      if (now === undefined) lost.push(`${describe(stream, segment)}: gone`);
      else if (!isDeepStrictEqual(now.segment, segment)) lost.push(`${describe(stream, segment)}: told otherwise now`);
      else if (now.sha256 !== sum) lost.push(`${describe(stream, segment)}: other bytes`);
    }
  }
  return { lost, wrong, served };
};
