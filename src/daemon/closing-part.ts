import type { HelperClient } from '../helper/client.ts';
import type { VolumeLockPart } from '../http/volume-lock.ts';
import type { VolumeManager } from '../volume/manager/manager.ts';

/** What the routes that close a volume need. */
export const closingPart = (volumes: VolumeManager, helper: HelperClient): VolumeLockPart => ({
  lock: (name, options) => volumes.lock(name, options),
  slam: (name, options) => volumes.slam(name, options),
  holders: async (name) => {
    volumes.get(name);
    return (await helper.call({ verb: 'holders', name })).result.holders;
  },
});
