import { stat } from 'node:fs/promises';
import { resolveDevice } from './device/block-device.ts';
import type { ContainerFile } from './engine/engine.ts';

/** Where a container lies, whatever its header says. */
export type Place = Pick<ContainerFile, 'path' | 'dev' | 'ino' | 'size' | 'allocated' | 'block'>;

/** `path` is one that the layout has proven. Of a block device it is the name it was given; the answer has its node. */
export const placeOf = async (path: string): Promise<Place> => {
  const { dev, ino, size, blocks, isBlock } = await stat(path).then((found) => ({
    ...{ dev: found.dev, ino: found.ino, size: found.size, blocks: found.blocks },
    isBlock: found.isBlockDevice(),
  }));
  if (!isBlock) return { path, dev, ino, size, allocated: blocks * 512, block: null };
  const device = await resolveDevice(path);
  return { path: device.node, dev, ino, size: device.size, allocated: device.size, block: device.number };
};
