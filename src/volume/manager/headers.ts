import type { HeaderBackups, HeaderResults } from '../../helper/protocol/header.ts';
import type { RepairReport } from '../headers/repair.ts';
import type { RestoreReport } from '../headers/restore.ts';
import type { VolumeManager } from './manager.ts';
import type { Turn } from './turn.ts';

/** Which container: the registered UUID goes along, so that a damaged header, too, has an owner. */
const whichOf = ({ volume }: Turn): { name: string; container: string; uuid?: string } => {
  const { name, container, uuid } = volume.record;
  return { name, container, ...(uuid === null ? {} : { uuid }) };
};

/** The headers of the volumes: backups, damage, restore. */
export class VolumeHeaders {
  readonly #manager: VolumeManager;

  constructor({ manager }: { readonly manager: VolumeManager }) {
    this.#manager = manager;
  }

  list(name: string): Promise<HeaderBackups> {
    return this.#manager.exclusive(name, async (turn) => {
      return (await turn.helper.call({ verb: 'header-list', ...whichOf(turn) })).result;
    });
  }

  /** Also of an open volume. */
  backUp(name: string): Promise<HeaderResults['header-backup']> {
    return this.#manager.exclusive(name, async (turn) => {
      const { result } = await turn.helper.call({ verb: 'header-backup', ...whichOf(turn) });
      const [newest] = result.backups;
      turn.tell({ type: 'volume.header.backed-up', volume: name, backup: newest?.name, removed: result.removedFiles });
      return result;
    });
  }

  compare(name: string, backup?: string): Promise<HeaderResults['header-compare']> {
    return this.#manager.exclusive(name, async (turn) => {
      const wanted = backup === undefined ? {} : { backup };
      return (await turn.helper.call({ verb: 'header-compare', ...whichOf(turn), ...wanted })).result;
    });
  }

  check(name: string): Promise<HeaderResults['header-check']> {
    return this.#manager.exclusive(name, async (turn) => {
      const { size } = turn.volume.record;
      return (await turn.helper.call({ verb: 'header-check', ...whichOf(turn), size })).result;
    });
  }

  restore(name: string, options: { readonly backup?: string; readonly force: boolean }): Promise<RestoreReport> {
    return this.#manager.exclusive(name, async (turn) => {
      const { result } = await turn.helper.call({ verb: 'header-restore', ...whichOf(turn), ...options });
      await turn.reconcile();
      turn.tell({ type: 'volume.header.restored', volume: name, backup: result.restored, keyslots: result.keyslots });
      return result;
    });
  }

  repair(name: string): Promise<RepairReport> {
    return this.#manager.exclusive(name, async (turn) => {
      const { result } = await turn.helper.call({ verb: 'header-repair', ...whichOf(turn) });
      // An open volume is not looked at anew: it is adopted already.
      if (turn.volume.state !== 'open') await turn.reconcile();
      if (result.repaired) turn.tell({ type: 'volume.header.repaired', volume: name });
      return result;
    });
  }
}
