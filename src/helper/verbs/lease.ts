import { addLease } from '../../volume/lease/add.ts';
import { leaseMount, mountedLeases } from '../../volume/lease/mounted.ts';
import { removeLease } from '../../volume/lease/remove.ts';
import { readMounts } from '../../volume/mountinfo.ts';
import type { leaseVerbs } from '../protocol/lease.ts';
import { type Handlers, plain } from './handler.ts';

export const leaseHandlers: Handlers<keyof typeof leaseVerbs> = {
  'lease-add': async (context, request) => plain(await addLease(context, request)),
  'lease-list': async (context, { name }) =>
    plain({ leases: mountedLeases(context.layout, name, await readMounts()).map(leaseMount) }),
  'lease-remove': async (context, request) => plain(await removeLease(context, request)),
};
