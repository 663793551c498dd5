/** What opens without an admin, for the routes. */
import type { VolumeUnlockPart } from '../http/volume-unlock.ts';
import type { AutoOpen } from '../volume/manager/auto-open.ts';
import type { VolumeBindings } from '../volume/manager/bindings.ts';

export const unlockPart = (autoOpen: AutoOpen, bindings: VolumeBindings): VolumeUnlockPart => ({
  status: (name) => autoOpen.status(name),
  set: (name, on) => autoOpen.set(name, on),
  tangKeys: (url) => bindings.tangKeys(url),
  bind: (name, to, current) => bindings.bind(name, to, current),
  unbind: (name, slot, current) => bindings.unbind(name, slot, current),
});
