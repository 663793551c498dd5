import { stat } from 'node:fs/promises';
import path from 'node:path';
import { ReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';
import type { LeaseMount } from '../../helper/protocol/lease.ts';
import type { Requests } from '../../helper/protocol.ts';
import { reached, type VolumeContext } from '../context.ts';
import { exists, makeMountPoint } from '../directories.ts';
import { lookAt, throwStorageProblem } from '../look.ts';
import { type Mount, mountAt, readMounts } from '../mountinfo.ts';
import { withUndo } from '../undo.ts';
import { leaseMount, mountedLeases } from './mounted.ts';
import { removeLease } from './remove.ts';
import { checkLeasePath, ownDirectory } from './rules.ts';

type Request = Requests['lease-add'];

const program = path.resolve(import.meta.dirname, '../../../build/Release/lease-mount');
const timeoutMs = 60_000;
/** Each costs a mount in every namespace of the machine; more than this is a loop that forgot to give back. */
const mostLeases = 64;

/** The procedure "Lease" of docs/volumes.md. Idempotent. */
export const addLease = async (context: VolumeContext, request: Request): Promise<LeaseMount> => {
  checkLeasePath(request.path, request.readOnly);
  // 1 the volume is open and takes what is asked
  const { report, mount } = await lookAt(context, request.name, { container: request.container });
  throwStorageProblem(report);
  if (!request.readOnly && report.access === 'readOnly') {
    throw new ReelError('volume-state', {
      expected: `the volume ${request.name} to take writes`,
      got: 'one that is open read-only',
      hint: 'lock it and open it for writing, or make the lease read-only',
    });
  }
  if (report.state !== 'open' || mount === undefined || (report.readOnly !== null && !request.readOnly)) {
    throw new ReelError('volume-state', {
      expected: `the volume ${request.name} to be open${request.readOnly ? '' : ' and to take writes'}`,
      got: report.readOnly ?? report.state,
      hint: 'open it first',
    });
  }
  // 2 what is leased already
  const point = context.layout.leasePoint(request.name, request.consumer);
  const mounts = await readMounts();
  const present = mountAt(mounts, point);
  if (present !== undefined) return same(context, request, mount, present);
  if (mountedLeases(context.layout, request.name, mounts).length >= mostLeases) {
    throw new ReelError('volume-busy', {
      expected: `at most ${mostLeases} leases of a volume`,
      got: 'one more',
      hint: 'remove those that nobody uses',
    });
  }
  return withUndo(async (undo) => {
    // 3 the empty mount point
    const { layout } = context;
    // One that was there may be bound into a container, which would lose it: only what this call makes goes again.
    if (!(await exists(layout.leaseDirectory(request.name))))
      undo.push('directory of the leases', () => layout.removeLeaseDirectory(request.name));
    undo.push('mount point of the lease', () =>
      removeLease(context, { name: request.name, consumer: request.consumer, keepPoint: false }),
    );
    await makePoint(context, request.name, point);
    reached(context, 'lease-point');
    // 4 bind
    await bind(context, request, mount, point);
    reached(context, 'lease-mounted');
    // 5 prove
    const made = mountAt(await readMounts(), point);
    if (made === undefined) throw new ReelError('io-error', { expected: `a mount at ${point}`, got: 'none' });
    return same(context, request, mount, made);
  });
};

const makePoint = async (context: VolumeContext, volume: string, point: string): Promise<void> => {
  await context.layout.makeLeaseDirectory(volume);
  await makeMountPoint(point);
};

const rootOf = (leased: string): string => (leased === '.' ? '/' : `/${leased}`);

/** The mounted lease, if it is the one asked for. Throws `already-exists` for any other. */
const same = async (context: VolumeContext, request: Request, volume: Mount, found: Mount): Promise<LeaseMount> => {
  const [lease] = mountedLeases(context.layout, request.name, [found]);
  const { uid, gid } = await stat(found.point);
  const owned = (uid === request.uid && gid === request.gid) || uid === 0;
  const wanted =
    found.device === volume.device &&
    found.root === rootOf(request.path) &&
    found.options.includes('ro') === request.readOnly &&
    found.options.includes('nosuid') &&
    found.options.includes('nodev') &&
    found.options.includes('noexec');
  if (lease !== undefined && wanted && owned) return leaseMount(lease);
  throw new ReelError('already-exists', {
    expected: `nothing else mounted at ${found.point}`,
    got: `${found.root} of ${found.source}, ${found.options.join(',')}, owner ${uid}:${gid}`,
    hint: 'remove that lease first, or choose another name for the consumer',
  });
};

const bind = async (context: VolumeContext, request: Request, volume: Mount, point: string): Promise<void> => {
  const { consumer, readOnly, uid, gid } = request;
  const { service } = context;
  const make = !readOnly && request.path === ownDirectory(consumer);
  const access = [readOnly ? 'ro' : 'rw', make ? 'make' : 'find', `${uid}:${gid}`, `${service.uid}:${service.gid}`];
  const args = [volume.point, volume.device, request.path, point, ...access];
  const { exitCode, stderr } = await run(program, args, { timeoutMs, okCodes: [0, 1, 3, 4, 5, 6] });
  if (exitCode !== 0) throw refusal(exitCode, request, stderr.trim());
};

/** The exit codes of native/lease_mount/main.cc. */
const refusal = (exitCode: number, request: Request, said: string): ReelError => {
  const details = { path: request.path, said };
  switch (exitCode) {
    case 3:
      return new ReelError('volume-identity', { expected: `the volume ${request.name} mounted`, got: said, details });
    case 4:
      return new ReelError(said.endsWith('No such file or directory') ? 'not-found' : 'path-outside', {
        expected: `a directory ${request.path} in the volume, reached over no link and no mount`,
        got: said,
        details,
      });
    case 5:
      return new ReelError('not-supported', {
        expected: 'idmapped mounts, which show the directory as the consumer’s',
        got: said,
        hint: 'needs Linux 5.12 and user namespaces; or run the consumer as the owner of the directory',
        details,
      });
    case 6:
      return new ReelError('already-exists', { expected: 'nothing mounted there', got: said, details });
    default:
      return new ReelError('io-error', { expected: 'the lease to be mounted', got: said, details });
  }
};
