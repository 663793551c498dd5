/** What a new volume is made in: a file of its own, or a block device that is there already. */
import type { FileHandle } from 'node:fs/promises';
import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import { sizeText } from '../../config/size.ts';
import { ReelError } from '../../errors.ts';
import { smallestVolume } from '../../helper/protocol/volume.ts';
import type { Requests } from '../../helper/protocol.ts';
import type { SectorSize } from '../../luks/types.ts';
import { reached, type VolumeContext } from '../context.ts';
import { resolveDevice } from '../device/block-device.ts';
import { openExclusively } from '../device/in-use.ts';
import { writeDeviceJournal } from '../device/journal.ts';
import { refuseSignatures, signaturesOn, wipeSignatures } from '../device/signatures.ts';
import { removeUnfinishedDevice } from '../device/unfinished.ts';
import { exists, removeFile, syncDirectory } from '../directories.ts';
import type { VolumePaths } from '../layout.ts';
import type { UndoStack } from '../undo.ts';
import { finishRename } from '../unfinished.ts';
import { allocate } from './allocate.ts';

export interface Target {
  /** What commands take while the volume is made, and what it is proven by. */
  readonly file: string;
  readonly path: string;
  /** Bytes of the container. */
  readonly size: number;
  readonly sectorSize?: SectorSize | undefined;
  /** Step 3: from here on it is the container's. */
  take(undo: UndoStack): Promise<void>;
  /** Step 10: from here on the volume exists. */
  name(undo: UndoStack): Promise<void>;
  close(): Promise<void>;
}

/** The key may have its name although the sync that comes after the rename failed. */
const undoKeyName = async ({ key, creatingKey }: VolumePaths): Promise<void> => {
  if (await exists(key)) await rename(key, creatingKey);
};

export const fileTarget = (context: VolumeContext, paths: VolumePaths, request: Requests['create']): Target => ({
  file: paths.creating,
  path: paths.creating,
  size: request.size ?? 0,
  sectorSize: request.sectorSize,
  take: async (undo) => {
    undo.push(paths.creating, () => removeFile(paths.creating));
    await allocate(paths.creating, { size: request.size ?? 0, sparse: request.sparse ?? false });
  },
  /** Until now a crash leaves temporary names that the next create removes; from the first rename on, a volume. */
  name: async (undo) => {
    undo.push(paths.container, () => rename(paths.container, paths.creating));
    await rename(paths.creating, paths.container);
    await syncDirectory(path.dirname(paths.container));
    reached(context, 'half-named');
    undo.push(paths.key, () => undoKeyName(paths));
    await finishRename(paths);
  },
  close: async () => {},
});

/** LUKS takes sectors that the device is a whole number of. */
const fittingSectors = (size: number): SectorSize =>
  ([4096, 2048, 1024] as const).find((sector) => size % sector === 0) ?? 512;

/**
 * Throws `device-in-use`, `device-not-empty`, `device-refused`, `not-found`. While the target is not closed the device stays open, so the kernel
 * gives neither its name nor its number to another one that is plugged in meanwhile.
 */
export const deviceTarget = async (
  context: VolumeContext,
  paths: VolumePaths,
  request: Requests['create'],
  uuid: string,
): Promise<Target> => {
  const device = await resolveDevice(paths.container);
  const { node, size } = device;
  if (size < smallestVolume) {
    throw new ReelError('invalid-argument', {
      expected: `a device of ${sizeText(smallestVolume)} or more`,
      got: sizeText(size),
    });
  }
  const exclusive = await openExclusively(device);
  let held: FileHandle | undefined;
  try {
    refuseSignatures(paths.container, await signaturesOn(node), request.overwriteSignatures);
    held = await open(node, 'r');
  } finally {
    await exclusive.close();
  }
  const opened = held;
  return {
    file: node,
    path: paths.container,
    size,
    sectorSize: request.sectorSize ?? (request.type === 'luks1' ? undefined : fittingSectors(size)),
    take: async (undo) => {
      await writeDeviceJournal(paths.creatingDevice, { device: paths.container, uuid });
      undo.push(paths.container, () => removeUnfinishedDevice(context, paths));
      reached(context, 'journalled');
      await wipeSignatures(node);
    },
    name: async (undo) => {
      if (await exists(paths.creatingKey)) {
        undo.push(paths.key, () => undoKeyName(paths));
        await rename(paths.creatingKey, paths.key);
        await syncDirectory(path.dirname(paths.key));
      }
      reached(context, 'half-named');
      await removeFile(paths.creatingDevice);
    },
    close: () => opened.close(),
  };
};
