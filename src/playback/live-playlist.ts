/** The live playlist: the newest durable segments, closed when the broadcast is over. */
import type { Segment } from '../archive/segment.ts';
import type { LiveWindow, Placed } from './live-window.ts';
import { endList, header, roundedSeconds, SegmentLines } from './m3u8.ts';

const at = (placed: Placed): Segment => placed.reel[placed.position] as Segment;

/** `segmentMs` is what the stream's segments aim at; `over` closes the playlist; `without` as in `SegmentLines`. */
export const livePlaylist = (
  window: LiveWindow,
  params: { segmentMs: number; over: boolean; without: ReadonlySet<Segment> },
): string => {
  const lines = new SegmentLines(window.former);
  const longest = Math.max(
    Math.ceil(params.segmentMs / 1000),
    ...window.listed.map((placed) => roundedSeconds(at(placed))),
  );
  const head = header({
    targetDuration: longest,
    mediaSequence: window.mediaSequence,
    discontinuitySequence: window.discontinuitySequence,
  });
  const body = window.listed.map((placed) => lines.add(placed.reel, placed.position, params.without)).join('');
  return `${head}${body}${params.over ? endList : ''}`;
};
