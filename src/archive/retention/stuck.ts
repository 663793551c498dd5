/** Reels that the storage does not let go of, since the volume was opened. They are asked for no more: others go in their place. */
import { explainedError } from '../../datapath/failure.ts';
import type { ReelError } from '../../errors.ts';
import { indexPath } from '../reel.ts';
import type { ReelName } from './reels.ts';

const pathOf = ({ stream, hour }: ReelName): string => indexPath(stream, hour);

export class StuckReels {
  readonly #paths = new Set<string>();
  readonly #streams = new Set<string>();
  readonly #onStuck: (stream: string, error: ReelError) => void;

  /** `onStuck` hears of the first one of a stream. */
  constructor(onStuck: (stream: string, error: ReelError) => void) {
    this.#onStuck = onStuck;
  }

  readonly add = (reel: ReelName, error: unknown): void => {
    const path = pathOf(reel);
    this.#paths.add(path);
    if (this.#streams.has(reel.stream)) return;
    this.#streams.add(reel.stream);
    this.#onStuck(reel.stream, explainedError('the volume', 'unlink', path, error));
  };

  /** Those of the reels that may go. */
  loose<R extends ReelName>(reels: readonly R[]): readonly R[] {
    return this.#paths.size === 0 ? reels : reels.filter((reel) => !this.#paths.has(pathOf(reel)));
  }
}
