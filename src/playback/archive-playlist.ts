/** Playlists over a stretch of the archive. */
import type { ReelPart, VolumeArchive } from '../archive/archive.ts';
import { SegmentLines } from '../native.ts';
import { addPart, endList, header, longestSeconds } from './m3u8.ts';
import { withoutTables } from './tables-lookup.ts';

export interface ArchiveSpan {
  readonly stream: string;
  readonly fromUs: number;
  readonly toUs: number;
}

interface PlaylistKind {
  readonly type: 'VOD' | 'EVENT';
  readonly over: boolean;
  readonly targetDuration: number;
}

/** Of text in memory at a time. A day of 2 s segments is 4.5 MiB: what is usually asked for needs one piece and one reading. */
const pieceBytes = 8 * 1024 * 1024;

/**
 * The head of a playlist names its longest segment, so all of the span is read before the first byte goes out. The lines of what is read are
 * held meanwhile, up to a piece; what is behind that is read again when the client takes it, so memory does not grow with the span.
 */
export class ArchivePlaylist {
  readonly #archive: VolumeArchive;
  readonly #span: ArchiveSpan;
  readonly #lines = new SegmentLines();
  #longest = 0;
  /** The first hour whose lines are not held. */
  #restFrom: number | undefined;

  private constructor(archive: VolumeArchive, span: ArchiveSpan) {
    this.#archive = archive;
    this.#span = span;
  }

  /** `undefined` where nothing is recorded in the span. */
  static async read(archive: VolumeArchive, span: ArchiveSpan): Promise<ArchivePlaylist | undefined> {
    const playlist = new ArchivePlaylist(archive, span);
    let held = 0;
    for await (const part of playlist.#parts()) {
      playlist.#longest = Math.max(playlist.#longest, longestSeconds(part));
      if (held < pieceBytes) held = await playlist.#add(part, held === 0);
      else playlist.#restFrom ??= part.hour;
    }
    return held === 0 ? undefined : playlist;
  }

  /** The longest EXTINF of the span in whole seconds. */
  get longest(): number {
    return this.#longest;
  }

  /**
   * The text, once: whole where all of it is held, else in pieces. A `VOD` playlist is complete as it stands. An `EVENT` playlist grows at its
   * end for as long as `over` is false: its first segment is fixed by the span, so its numbers start from 0 and stay.
   */
  text({ type, over, targetDuration }: PlaylistKind): Buffer | AsyncGenerator<Buffer> {
    const head = header({ targetDuration, mediaSequence: 0, discontinuitySequence: 0, type });
    const tail = over ? endList : '';
    return this.#restFrom === undefined ? this.#lines.take(head, tail) : this.#pieces(head, tail, this.#restFrom);
  }

  async *#pieces(head: string, tail: string, restFrom: number): AsyncGenerator<Buffer> {
    yield this.#lines.take(head, '');
    for await (const part of this.#parts(restFrom))
      if ((await this.#add(part)) >= pieceBytes) yield this.#lines.take('', '');
    yield this.#lines.take('', tail);
  }

  #parts(firstHour = 0): AsyncGenerator<ReelPart> {
    const { stream, fromUs, toUs } = this.#span;
    return this.#archive.passingParts(stream, fromUs, toUs, firstHour);
  }

  /** How many bytes are held then. */
  async #add(part: ReelPart, startsPlaylist = false): Promise<number> {
    return addPart(this.#lines, part, await withoutTables(this.#archive, this.#span.stream, part), startsPlaylist);
  }
}
