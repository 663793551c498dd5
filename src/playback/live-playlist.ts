/** The live playlist: the newest durable segments, closed when the broadcast is over. */
import { SegmentLines } from '../native.ts';
import type { LiveWindow } from './live-window.ts';
import { endList, header, longestSeconds, partLines } from './m3u8.ts';

/** `segmentMs` is what the stream's segments aim at; `over` closes the playlist; `withoutTables` as in `partLines`, of each part of the window. */
export const livePlaylist = (
  window: LiveWindow,
  params: { segmentMs: number; over: boolean; withoutTables: readonly (readonly number[])[] },
): Buffer => {
  const lines = new SegmentLines(window.formerEndUs);
  const longest = Math.max(Math.ceil(params.segmentMs / 1000), ...window.listed.map(longestSeconds));
  const head = header({
    targetDuration: longest,
    mediaSequence: window.mediaSequence,
    discontinuitySequence: window.discontinuitySequence,
  });
  const body = window.listed.map((part, at) => partLines(lines, part, params.withoutTables[at] ?? []));
  return Buffer.concat([Buffer.from(head), ...body, Buffer.from(params.over ? endList : '')]);
};
