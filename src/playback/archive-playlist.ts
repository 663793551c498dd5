/** Playlists over a stretch of the archive, written reel by reel so that memory does not grow with their length. */
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

/**
 * The text of the playlist in pieces. A `VOD` playlist is complete as it stands. An `EVENT` playlist grows at its end for as long as
 * `over` is false: its first segment is fixed by the span, so its numbers start from 0 and stay.
 */
export async function* archivePlaylist(
  archive: VolumeArchive,
  span: ArchiveSpan,
  params: { type: 'VOD' | 'EVENT'; over: boolean; targetDuration: number },
): AsyncGenerator<Buffer> {
  const lines = new SegmentLines();
  yield Buffer.from(
    header({
      targetDuration: params.targetDuration,
      mediaSequence: 0,
      discontinuitySequence: 0,
      type: params.type,
    }),
  );
  let isFirst = true;
  for await (const part of archive.parts(span.stream, span.fromUs, span.toUs)) {
    yield partLines(lines, part, await withoutTables(archive, span.stream, part), isFirst);
    isFirst = false;
  }
  if (params.over) yield Buffer.from(endList);
}
