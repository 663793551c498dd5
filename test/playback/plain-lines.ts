/** The lines of segments as plainly as docs/playback.md says them, segment by segment: what the native ones are compared with. */
import { hourPath } from '../../src/archive/reel.ts';
import { endUs, hasFlag, isGap, type Segment } from '../../src/archive/segment.ts';
import { segmentFlags } from '../../src/native.ts';

const uri = ({ hour, offset, length }: Segment): string => `${hourPath(hour)}/${offset}-${length}`;

/** `reels` in order of time; `withoutTables` are owners of tables that have none. */
export const plainLines = (
  reels: readonly (readonly Segment[])[],
  withoutTables: ReadonlySet<Segment>,
  formerEndUs: number | undefined,
  startsPlaylist: boolean,
): string => {
  const lines: string[] = [];
  let former = formerEndUs;
  let map: string | undefined;
  for (const reel of reels)
    for (const [position, segment] of reel.entries()) {
      const marked = hasFlag(segment, segmentFlags.discontinuity);
      const owner =
        reel.slice(0, position + 1).findLast((one) => hasFlag(one, segmentFlags.discontinuity)) ?? (reel[0] as Segment);
      const isFirst = segment === reels[0]?.[0];
      const breaks =
        (marked || (former !== undefined && isGap(former, segment.startUs))) && !(isFirst && startsPlaylist);
      if (breaks) lines.push('#EXT-X-DISCONTINUITY');
      const needs = !hasFlag(segment, segmentFlags.tables) || (breaks && map !== undefined);
      if (needs && !withoutTables.has(owner) && map !== `${uri(owner)}.tables.ts`) {
        map = `${uri(owner)}.tables.ts`;
        lines.push(`#EXT-X-MAP:URI="${map}"`);
      }
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(Math.floor(segment.startUs / 1000)).toISOString()}`);
      lines.push(`#EXTINF:${(segment.duration / 90_000).toFixed(6)},`, `${uri(segment)}.ts`);
      former = endUs(segment);
    }
  return lines.map((line) => `${line}\n`).join('');
};
