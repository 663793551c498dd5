/** Why a stream has nothing between two recordings: orders, schedules, and what kept it or its volume from being recorded. */
import type { VolumeArchive } from '../archive/archive.ts';
import { gapFlags } from '../archive/gap-reasons.ts';
import { type Gap, gapsIn } from '../archive/gaps.ts';
import { endUs } from '../archive/segment.ts';
import { type Cause, explainGap } from './explain-gap.ts';
import type { RecordingControl } from './recording-control.ts';
import type { TroubleLog } from './trouble-log.ts';

export interface GapCausesParams {
  readonly control: RecordingControl;
  readonly troubles: TroubleLog;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** A stream and where it is recorded. */
interface Place {
  readonly stream: string;
  readonly volume: string;
}

export class GapCauses {
  readonly #params: GapCausesParams;

  constructor(params: GapCausesParams) {
    this.#params = params;
  }

  /** Of a gap from `fromUs` to `toUs` (default now), as flags of the segment that ends it. */
  flags(place: Place, fromUs: number, toUs: number = this.#params.now() * 1000): number {
    return gapFlags(explainGap(fromUs / 1000, toUs / 1000, this.#causes(place, fromUs)));
  }

  /** Where nothing was recorded within `[fromUs, toUs)`, and why; the last one may not have ended. */
  async list(
    archive: VolumeArchive,
    place: Place & { readonly isRecording: boolean },
    fromUs: number,
    toUs: number,
  ): Promise<Gap[]> {
    const gaps = await gapsIn(archive, place.stream, fromUs, toUs);
    const newest = await archive.newest(place.stream);
    const nowUs = this.#params.now() * 1000;
    if (newest === undefined || place.isRecording) return gaps;
    const startUs = endUs(newest);
    if (startUs >= Math.min(nowUs, toUs) || nowUs <= fromUs) return gaps;
    const reasons = explainGap(startUs / 1000, nowUs / 1000, this.#causes(place, startUs));
    return [...gaps, { startUs, endUs: nowUs, reasons }];
  }

  #causes({ stream, volume }: Place, fromUs: number): Cause[] {
    const { control, troubles } = this.#params;
    const known = troubles.causes('service', `volume:${volume}`, `stream:${stream}`);
    return [...control.causes(stream, fromUs / 1000), ...known];
  }
}
