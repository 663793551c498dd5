/** Which events somebody wants to hear. */
import type { ServiceEvent } from './bus.ts';

export interface EventFilter {
  /** `volume.state`, or with a star at the end: `volume.*`. Any of them; none means all. */
  readonly types?: readonly string[] | undefined;
  readonly volume?: string | undefined;
  readonly stream?: string | undefined;
}

const fitsType = (type: string, wanted: string): boolean =>
  wanted.endsWith('*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted;

export const fits = (event: ServiceEvent, { types = [], volume, stream }: EventFilter): boolean =>
  (types.length === 0 || types.some((wanted) => fitsType(event.type, wanted))) &&
  (volume === undefined || event.volume === volume) &&
  (stream === undefined || event.stream === stream);
