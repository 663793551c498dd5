import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { ReelError } from '../../errors.ts';
import { createVolume } from '../../volume/create.ts';
import { findHolders } from '../../volume/holders.ts';
import { lockVolume } from '../../volume/lock.ts';
import { lookAt } from '../../volume/look.ts';
import { mountAt, readMounts } from '../../volume/mountinfo.ts';
import { openVolume } from '../../volume/open.ts';
import type { VolumeReport, volumeVerbs } from '../protocol/volume.ts';
import { type Handlers, plain } from './handler.ts';

/** `st_dev` as `major:minor` (the encoding of makedev(3)). */
const deviceNumber = (dev: number): string => {
  const wide = BigInt(dev);
  const major = ((wide >> 8n) & 0xfffn) | ((wide >> 32n) & ~0xfffn);
  const minor = (wide & 0xffn) | ((wide >> 12n) & ~0xffn);
  return `${major}:${minor & 0xffffffffn}`;
};

/** The root directory of an open volume. What was mounted at the time of the look is what is opened, or it is an error. */
const rootDescriptor = async (report: VolumeReport): Promise<number> => {
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

/** `checkSecrets` has seen to it that there is a secret unless the key file is used. */
const keyFileInstead = Buffer.alloc(0);

export const volumeHandlers: Handlers<keyof typeof volumeVerbs> = {
  create: async (context, request, [secret = keyFileInstead]) => {
    const result = await createVolume(context, request, secret);
    return { result, fd: await rootDescriptor(result) };
  },
  open: async (context, request, [secret = keyFileInstead]) => {
    const result = await openVolume(context, request, secret);
    return { result, fd: await rootDescriptor(result) };
  },
  inspect: async (context, { name, container, descriptor }) => {
    const { report } = await lookAt(context, name, { container, readBlock: descriptor });
    return { result: report, fd: descriptor ? await rootDescriptor(report) : -1 };
  },
  lock: async (context, { name, container }) => plain(await lockVolume(context, name, container)),
  holders: async (context, { name }) => {
    const mount = mountAt(await readMounts(), context.layout.paths(name).mountPoint);
    return plain({ holders: mount === undefined ? [] : await findHolders(mount.device) });
  },
};
