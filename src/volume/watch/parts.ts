import type { BlockPlanes } from './block-planes.ts';
import type { HostLooks } from './host-facts.ts';
import type { RoomLooks } from './room-looks.ts';
import type { WriteStops } from './write-stops.ts';

/** What the helper keeps running to watch volumes. */
export interface WatchParts {
  readonly planes: BlockPlanes;
  readonly hosts: HostLooks;
  readonly rooms: RoomLooks;
  readonly stops: WriteStops;
}
