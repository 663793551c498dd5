/** Playlists over a stretch of the archive, written reel by reel so that memory does not grow with their length. */
import type { ReelPart, VolumeArchive } from '../archive/archive.ts';
import type { Segment } from '../archive/segment.ts';
import { endList, header, roundedSeconds, SegmentLines } from './m3u8.ts';
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
    for (let at = part.first; at < part.end; at += 1)
      longest = Math.max(longest, roundedSeconds(part.reel[at] as never));
  return longest;
};

const partLines = (lines: SegmentLines, part: ReelPart, without: ReadonlySet<Segment>, isFirst: boolean): string => {
  let text = '';
  for (let at = part.first; at < part.end; at += 1)
    text += lines.add(part.reel, at, without, !(isFirst && at === part.first));
  return text;
};

/**
 * The text of the playlist in pieces. A `VOD` playlist is complete as it stands. An `EVENT` playlist grows at its end for as long as
 * `over` is false: its first segment is fixed by the span, so its numbers start from 0 and stay.
 */
export async function* archivePlaylist(
  archive: VolumeArchive,
  span: ArchiveSpan,
  params: { type: 'VOD' | 'EVENT'; over: boolean; targetDuration: number },
): AsyncGenerator<string> {
  const lines = new SegmentLines();
  yield header({
    targetDuration: params.targetDuration,
    mediaSequence: 0,
    discontinuitySequence: 0,
    type: params.type,
  });
  let isFirst = true;
  for await (const part of archive.parts(span.stream, span.fromUs, span.toUs)) {
    const without = await withoutTables(archive, span.stream, part.reel, part.first, part.end);
    yield partLines(lines, part, without, isFirst);
    isFirst = false;
  }
  if (params.over) yield endList;
}
