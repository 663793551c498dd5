import type { Luks } from '../luks/luks.ts';
import type { Pbkdf } from '../luks/types.ts';
import type { Engine } from './engine/engine.ts';
import type { Owner } from './identity.ts';
import type { Layout } from './layout.ts';
import type { ProgressBoard } from './progress.ts';
import type { EngineName } from './states.ts';
import type { Unattended } from './unlock/way.ts';
import type { WatchParts } from './watch/parts.ts';

/** What every verb of the helper works with. */
export interface VolumeContext {
  readonly layout: Layout;
  readonly engines: Readonly<Record<EngineName, Engine>>;
  readonly luks: Luks;
  readonly watch: WatchParts;
  /** Who records: owner of the directories in a volume. */
  readonly service: Owner;
  readonly progress: ProgressBoard;
  /** In place of the key derivation that `create` would choose. Not reachable over the protocol: it makes weak containers. */
  readonly pbkdf?: Pbkdf;
  readonly unattended?: Unattended;
  /** Called after each numbered step of docs/volumes.md with its name: where a crash is tried out. */
  readonly afterStep?: (step: string) => void;
}

export const reached = (context: VolumeContext, step: string): void => context.afterStep?.(step);
