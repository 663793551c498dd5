/** The live playlist: the newest durable segments, closed when the broadcast is over. */
import { SegmentLines } from '../native.ts';
import type { LiveWindow } from './live-window.ts';
import { addPart, endList, header, longestSeconds } from './m3u8.ts';

/** `segmentMs` is what the stream's segments aim at; `over` closes the playlist; `withoutTables` as in `addPart`, of each part of the window. */
export const livePlaylist = (
  window: LiveWindow,
  params: { segmentMs: number; over: boolean; withoutTables: readonly (readonly number[])[] },
): Buffer => {
  const lines = new SegmentLines(window.formerEndUs);
  for (const [at, part] of window.listed.entries()) addPart(lines, part, params.withoutTables[at] ?? []);
  const head = header({
    targetDuration: Math.max(Math.ceil(params.segmentMs / 1000), ...window.listed.map(longestSeconds)),
    mediaSequence: window.mediaSequence,
    discontinuitySequence: window.discontinuitySequence,
  });
  return lines.take(head, params.over ? endList : '');
};
