import type { Logger } from 'pino';
import { ReelError, toReelError } from '../../errors.ts';
import type { DestroyReport } from '../destroy/report.ts';
import type { VolumeManager } from './manager.ts';
import type { Turn } from './turn.ts';

export interface DestroyerParams {
  readonly manager: VolumeManager;
  readonly log: Logger;
}

/** The end of volumes. */
export class VolumeDestroyer {
  readonly #params: DestroyerParams;

  constructor(params: DestroyerParams) {
    this.#params = params;
  }

  /**
   * Shreds keys and header, removes the container, and forgets the volume. `confirm` is the name again. Throws `volume-busy` for one that is
   * not locked; after any other failure the volume is `failed` and the same call goes on.
   */
  destroy(name: string, confirm: string): Promise<DestroyReport> {
    return this.#params.manager.exclusive(name, (turn) => destroyInTurn(turn, name, confirm));
  }

  /** What an earlier daemon began was confirmed then: it is finished. Called once, after the volumes are known. */
  async finishInterrupted(): Promise<void> {
    for (const { name, failure } of this.#params.manager.list()) {
      if (failure?.error.code !== 'volume-unfinished' || failure.error.details.operation !== 'destroy') continue;
      try {
        const report = await this.destroy(name, name);
        this.#params.log.warn({ volume: name, report }, 'finished an interrupted destruction');
      } catch (thrown) {
        this.#params.log.error({ volume: name, err: toReelError(thrown) }, 'could not finish a destruction');
      }
    }
  }
}

const destroyInTurn = async (turn: Turn, name: string, confirm: string): Promise<DestroyReport> => {
  const { volume, helper } = turn;
  if (volume.state === 'open' || volume.state === 'draining') {
    throw new ReelError('volume-busy', {
      expected: `the volume ${name} to be locked`,
      got: 'an open one',
      hint: `lock it first: \`reelvault volume lock ${name}\``,
    });
  }
  const { container, uuid } = volume.record;
  const request = { verb: 'destroy', name, container, confirm, ...(uuid === null ? {} : { uuid }) } as const;
  let report: DestroyReport;
  volume.become('destroying');
  try {
    report = (await helper.call(request)).result;
  } catch (error) {
    await turn.reconcile();
    throw error;
  }
  await turn.forget();
  turn.tell({ type: 'volume.destroyed', volume: name, report });
  return report;
};
