import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { ReelError } from '../../errors.ts';
import { mountAt, readMounts } from '../../volume/mountinfo.ts';
import type { VolumeReport } from '../protocol/volume.ts';

/** `st_dev` as `major:minor` (the encoding of makedev(3)). */
const deviceNumber = (dev: number): string => {
  const wide = BigInt(dev);
  const major = ((wide >> 8n) & 0xfffn) | ((wide >> 32n) & ~0xfffn);
  const minor = (wide & 0xffn) | ((wide >> 12n) & ~0xffn);
  return `${major}:${minor & 0xffffffffn}`;
};

/** The root directory of an open volume. What was mounted at the time of the look is what is opened, or it is an error. */
export const rootDescriptor = async (report: VolumeReport): Promise<number> => {
  if (report.state !== 'open') return -1;
  const fd = openSync(report.mountPoint, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const mount = mountAt(await readMounts(), report.mountPoint);
  if (mount !== undefined && deviceNumber(fstatSync(fd).dev) === mount.device) return fd;
  closeSync(fd);
  throw new ReelError('volume-identity', {
    expected: `the volume mounted at ${report.mountPoint}`,
    got: 'something else',
  });
};
