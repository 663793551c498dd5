import type { HelperClient } from '../../helper/client.ts';
import type { VolumeEvent } from './hooks.ts';
import type { ManagedVolume } from './managed-volume.ts';

/** What a part that changes one volume works with, while nobody else changes it. */
export interface Turn {
  readonly volume: ManagedVolume;
  readonly helper: HelperClient;
  /** After a change of `volume.record`. */
  save(): Promise<void>;
  /** Looks at the volume again and takes over what the helper finds; what is wrong becomes the volume's state. */
  reconcile(): Promise<void>;
  /** Takes the volume off the list, for one that is no more. */
  forget(): Promise<void>;
  /** Tells everybody who watches. */
  tell(event: VolumeEvent): void;
}
