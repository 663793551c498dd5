/** What can be chosen for a new volume, and which engine can do it. Kept apart from the procedure, which takes them as given. */
import { sizeText } from '../../config/size.ts';
import { ReelError } from '../../errors.ts';
import { largestVolume, sizeUnit, smallestVolume } from '../../helper/protocol/volume.ts';
import type { Requests } from '../../helper/protocol.ts';

type Create = Requests['create'];

const refuse = (expected: string, got: string, hint?: string): ReelError =>
  new ReelError('invalid-argument', { expected, got, ...(hint === undefined ? {} : { hint }) });

/** The smallest device on which mkfs.xfs 6 makes a filesystem (xfsprogs, "Filesystem must be larger than 300MB"). */
const smallestXfs = 300 * 1024 * 1024;
/** What the filesystems take (`s_volume_name`, `sb_fname`). */
const longestLabel = { ext4: 16, xfs: 12 } as const;
/** Bytes of the container before the payload, as cryptsetup lays them out. */
export const headerBytes = { luks1: 2 * 1024 * 1024, luks2: 16 * 1024 * 1024 } as const;

/** Bytes of the container whose device has `netSize` of them, rounded up to whole sectors. Throws `invalid-argument` for too few or many. */
export const containerBytes = (netSize: number, type: keyof typeof headerBytes): number => {
  const size = Math.ceil(netSize / sizeUnit) * sizeUnit + headerBytes[type];
  if (size >= smallestVolume && size <= largestVolume) return size;
  const [least, most] = [smallestVolume - headerBytes[type], largestVolume - headerBytes[type]];
  throw refuse(`a net size from ${sizeText(least)} to ${sizeText(most)}`, sizeText(netSize));
};

const wholeDevice = 'a volume takes all of its device: make a partition or a logical volume of the size that is wanted';

/** Refuses combinations that no engine, or not this one, or not this filesystem can do. Throws `invalid-argument`. */
export const checkOptions = (request: Create): void => {
  const { engine, type, size, device, filesystem = 'ext4', label, cipher = 'aes-xts-plain64', sectorSize } = request;
  if (engine === 'userspace' && cipher !== 'aes-xts-plain64') {
    throw refuse('aes-xts-plain64 for the userspace engine', cipher, 'only the kernel engine knows other ciphers');
  }
  const { sparse = false, discard = false, performance = [], overwriteSignatures, uuid } = request;
  if ((size === undefined) === (device === undefined)) {
    throw refuse('either a size or a block device', size === undefined ? 'neither' : 'both', wholeDevice);
  }
  if (device !== undefined && sparse) throw refuse('nothing sparse on a block device', 'a sparse container');
  if (device === undefined && (overwriteSignatures !== undefined || uuid !== undefined)) {
    throw refuse('signatures to overwrite and a UUID of a block device only', 'some for a file');
  }
  if (engine === 'userspace' && (discard || performance.length > 0)) {
    throw refuse('neither discard nor performance flags for the userspace engine', 'some', 'they are dm-crypt’s');
  }
  if (discard && !sparse && device === undefined) {
    throw refuse(
      'discard for a sparse container or a block device',
      'a preallocated one',
      'it would lose the blocks reserved for it',
    );
  }
  if (type === 'luks1' && sectorSize !== undefined && sectorSize !== 512) {
    throw refuse('sectors of 512 bytes for LUKS1', `${sectorSize}`, 'use LUKS2');
  }
  if (label !== undefined && label.length > longestLabel[filesystem]) {
    throw refuse(`a label of at most ${longestLabel[filesystem]} characters for ${filesystem}`, label);
  }
  if (filesystem === 'xfs' && size !== undefined && size - headerBytes[type] < smallestXfs) {
    throw refuse(
      `at least ${sizeText(smallestXfs)} for xfs`,
      sizeText(size - headerBytes[type]),
      'use ext4, or a larger volume',
    );
  }
};
