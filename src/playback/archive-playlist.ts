/** Playlists over a stretch of the archive, written piece by piece so that memory does not grow with their length. */
import type { VolumeArchive } from '../archive/archive.ts';
import { SegmentLines } from '../native.ts';
import { endList, header, longestSeconds, partLines } from './m3u8.ts';
import { withoutTables } from './tables-lookup.ts';

export interface ArchiveSpan {
  readonly stream: string;
  readonly fromUs: number;
  readonly toUs: number;
}

/** The longest EXTINF of the span in whole seconds, or 0 where nothing is recorded in it. */
export const longestSegment = async (archive: VolumeArchive, span: ArchiveSpan): Promise<number> => {
  let longest = 0;
  for await (const part of archive.parts(span.stream, span.fromUs, span.toUs))
    longest = Math.max(longest, longestSeconds(part));
  return longest;
};

/** Of text gathered before it is sent: each piece costs a turn of the event loop, and of the client's. */
const pieceBytes = 4 * 1024 * 1024;

/** The same text in few pieces. */
async function* gathered(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    held.push(piece);
    bytes += piece.length;
    if (bytes < pieceBytes) continue;
    yield Buffer.concat(held, bytes);
    held = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(held, bytes);
}

interface PlaylistKind {
  readonly type: 'VOD' | 'EVENT';
  readonly over: boolean;
  readonly targetDuration: number;
}

async function* piecesOf(
  archive: VolumeArchive,
  span: ArchiveSpan,
  { type, over, targetDuration }: PlaylistKind,
): AsyncGenerator<Buffer> {
  const lines = new SegmentLines();
  yield Buffer.from(header({ targetDuration, mediaSequence: 0, discontinuitySequence: 0, type }));
  let isFirst = true;
  for await (const part of archive.parts(span.stream, span.fromUs, span.toUs)) {
    yield partLines(lines, part, await withoutTables(archive, span.stream, part), isFirst);
    isFirst = false;
  }
  if (over) yield Buffer.from(endList);
}

/**
 * The text of the playlist in pieces. A `VOD` playlist is complete as it stands. An `EVENT` playlist grows at its end for as long as
 * `over` is false: its first segment is fixed by the span, so its numbers start from 0 and stay.
 */
export const archivePlaylist = (
  archive: VolumeArchive,
  span: ArchiveSpan,
  kind: PlaylistKind,
): AsyncGenerator<Buffer> => gathered(piecesOf(archive, span, kind));
