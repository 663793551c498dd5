import { createVolume } from '../../volume/create.ts';
import { findHolders } from '../../volume/holders.ts';
import { lockVolume } from '../../volume/lock.ts';
import { lookAt } from '../../volume/look.ts';
import { mountAt, readMounts } from '../../volume/mountinfo.ts';
import { openVolume } from '../../volume/open.ts';
import type { volumeVerbs } from '../protocol/volume.ts';
import { type Handlers, plain } from './handler.ts';
import { rootDescriptor } from './root-descriptor.ts';

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
  holders: async (context, { name, inTheWay = false }, _secrets, caller) => {
    const mounts = await readMounts();
    const { mountPoint: point } = context.layout.paths(name);
    const mount = mountAt(mounts, point);
    if (mount === undefined) return plain({ holders: [] });
    const own = mounts.filter(({ device }) => device === mount.device).map((each) => each.point);
    const meant = own.filter((each) => each === point || each.startsWith(`${context.layout.leaseDirectory(name)}/`));
    const holders = await findHolders(mount.device, inTheWay ? { point, meant } : {});
    return plain({ holders: holders.map((holder) => ({ ...holder, service: holder.pid === caller.pid })) });
  },
};
