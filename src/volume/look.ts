import { stat } from 'node:fs/promises';
import { ReelError, toReelError } from '../errors.ts';
import { run } from '../exec/run.ts';
import type { VolumeReport } from '../helper/protocol/volume.ts';
import { deviceBytes } from '../luks/container-size.ts';
import type { VolumeContext } from './context.ts';
import { unfinishedDestroy } from './destroy/journal.ts';
import { goneContainer, movedContainer } from './device/gone.ts';
import { exists } from './directories.ts';
import type { Attachment, ContainerFile } from './engine/engine.ts';
import { readJournal } from './grow/journal.ts';
import { noteOf } from './headers/prove-header.ts';
import { proveIdentity } from './identity.ts';
import type { VolumePaths } from './layout.ts';
import { readLuksHeader } from './luks-header.ts';
import { type Mount, mountAt, readMounts } from './mountinfo.ts';
import { placeOf } from './place.ts';
import { roomOf } from './watch/room-looks.ts';

/** Everything that can be known of a volume without a key. */
export interface Look {
  readonly paths: VolumePaths;
  /** Of one that is not there any more, while something of it is attached: what is left to be taken away. */
  readonly container: ContainerFile | undefined;
  readonly attachments: readonly Attachment[];
  readonly mount: Mount | undefined;
  readonly report: VolumeReport;
}

export interface LookOptions {
  readonly container?: string | undefined;
  /** Also read one block past every cache: a device whose server is gone still answers from memory. */
  readonly readBlock?: boolean;
}

const readTimeoutMs = 10_000;

/** The file or block device at `path` as a container. Throws `not-found`, `path-outside`, `not-luks`. */
export const containerAt = async (context: VolumeContext, path: string): Promise<ContainerFile> => {
  await context.layout.proveFile(path);
  const place = await placeOf(path);
  const { uuid, version } = await readLuksHeader(place.path);
  return { ...place, uuid, type: version === 1 ? 'luks1' : 'luks2' };
};

export const attachmentsOf = async (context: VolumeContext, container: ContainerFile): Promise<Attachment[]> => {
  const found = await Promise.all(Object.values(context.engines).map((engine) => engine.find(container)));
  return found.filter((attachment) => attachment !== undefined);
};

const stale = (
  got: string,
  code: 'volume-state' | 'block-plane-died' | 'container-changed' = 'volume-state',
): ReelError =>
  new ReelError(code, {
    expected: 'a whole open volume, or nothing of it',
    got,
    hint: 'lock the volume to clean up, then open it again',
  });

/** Why attachment and mount are not one whole open volume; undefined when they are. */
const findProblem = async (
  name: string,
  container: ContainerFile,
  attachments: readonly Attachment[],
  mount: Mount | undefined,
  readBlock: boolean,
): Promise<ReelError | undefined> => {
  const [attachment, another] = attachments;
  if (attachment === undefined) return stale(`something else mounted on its mount point: ${mount?.source ?? ''}`);
  if (another !== undefined) return stale('two engines attached to one container');
  if (attachment.device === null) {
    return stale(attachment.problem ?? 'an incomplete device', attachment.died ? 'block-plane-died' : 'volume-state');
  }
  if (mount === undefined) return stale(`${attachment.device} attached, but not mounted`);
  if (mount.device !== attachment.number || mount.root !== '/') return stale(`another device mounted: ${mount.source}`);
  try {
    if (readBlock) {
      const args = [`if=${attachment.device}`, 'of=/dev/null', 'bs=4096', 'count=1', 'iflag=direct', 'status=none'];
      await run('dd', args, { timeoutMs: readTimeoutMs }).catch((thrown: unknown) => {
        const error = toReelError(thrown);
        const got = `no block of ${attachment.device}: ${error.parts.got}`;
        throw new ReelError(error.code, { ...error.parts, got, cause: error, details: error.details });
      });
    }
    await proveIdentity(mount.point, { layout: 1, uuid: container.uuid, name });
  } catch (error) {
    return toReelError(error);
  }
  return undefined;
};

/** Where a look was kept from seeing by the storage, that is what is wrong, and no state. Throws `io-error`, `no-space`. */
export const throwStorageProblem = ({ problem }: VolumeReport): void => {
  if (problem?.code === 'io-error' || problem?.code === 'no-space') throw new ReelError(problem.code, problem);
};

/** A name that leads nowhere is that of a device that was taken away. */
const present = (device: string): Promise<boolean> =>
  stat(device).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );

const movedAway = ({ name, container }: VolumePaths, attached: ContainerFile, missing: boolean): ReelError => {
  const deleted = / \(deleted\)$/.test(attached.path);
  const known = attached.path !== container;
  const now = deleted ? 'it was deleted' : `it is at ${attached.path} now`;
  const aside = missing ? '' : ', after the other file was moved away';
  return new ReelError('container-changed', {
    expected: `the open container at ${container}`,
    got: `${missing ? 'no file' : 'another file'}${known ? `: ${now}` : ''}`,
    hint: deleted
      ? `it exists only as long as the volume is attached: lock ${name} to give it up`
      : known
        ? `move it back${aside}, or lock ${name}`
        : `put it back, or lock ${name}`,
  });
};

/** Looks at kernel and disk; changes nothing. Throws only where the container's path itself is refused. */
export const lookAt = async (context: VolumeContext, name: string, options: LookOptions = {}): Promise<Look> => {
  const paths = context.layout.paths(name, options.container);
  const mount = mountAt(await readMounts(), paths.mountPoint);
  const nothing = {
    ...{ name, container: paths.container, mountPoint: paths.mountPoint, uuid: null, type: null, size: null },
    ...{ netSize: null, capacity: null, available: null, filesystem: null, sparse: null },
    ...{ engine: null, device: null, directIo: null, blockPid: null, access: null, readOnly: null },
    ...{ problem: null, growing: null, header: null },
    keyFile: (await exists(paths.key)) ? paths.key : null,
  };
  // Nobody opens half of a volume: what is left of it is only there to be finished.
  if (await exists(paths.destroying)) {
    const report: VolumeReport = { ...nothing, state: 'destroying', problem: unfinishedDestroy(name).toJSON() };
    return { paths, container: undefined, attachments: [], mount, report };
  }
  const unfinished = (await exists(paths.creating)) || (await exists(paths.creatingDevice));
  const missing = paths.isDevice ? unfinished || !(await present(paths.container)) : !(await exists(paths.container));
  // One that was being created is mounted before it has its name: it was not moved away.
  const moved =
    paths.isDevice || unfinished ? undefined : movedContainer(context.layout, paths.container, { mount, missing });
  if (moved !== undefined) {
    const report: VolumeReport = { ...nothing, state: 'stale', problem: movedAway(paths, moved, missing).toJSON() };
    return { paths, container: moved, attachments: await attachmentsOf(context, moved), mount, report };
  }
  if (missing) {
    const state = unfinished ? 'unfinished' : 'absent';
    const gone = stale(
      `${mount?.source ?? ''} mounted, but no container at ${paths.container}`,
      'container-changed',
    ).toJSON();
    const report: VolumeReport =
      mount === undefined || state === 'unfinished'
        ? { ...nothing, state }
        : { ...nothing, state: 'stale', problem: gone };
    const left =
      paths.isDevice && report.state === 'stale' ? goneContainer(context.layout, paths.container, mount) : undefined;
    const pieces = left === undefined ? [] : await attachmentsOf(context, left);
    return { paths, container: left, attachments: pieces, mount, report };
  }
  const container = await containerAt(context, paths.container);
  const attachments = await attachmentsOf(context, container);
  const { uuid, type, size } = container;
  const journal = await readJournal(paths.growing, uuid);
  const growing = journal === undefined ? null : { from: journal.from, to: journal.to };
  const known = {
    ...nothing,
    uuid,
    type,
    size,
    growing,
    header: await noteOf(paths, container),
    sparse: container.allocated < size,
  };
  if (attachments.length === 0 && mount === undefined) {
    return { paths, container, attachments, mount, report: { ...known, state: 'locked' } };
  }
  const problem = await findProblem(name, container, attachments, mount, options.readBlock ?? false);
  const { engine = null, device = null, directIo = null, blockPid = null, readOnly = null } = attachments[0] ?? {};
  const access = readOnly === null ? null : readOnly ? 'readOnly' : 'readWrite';
  const report: VolumeReport = {
    ...known,
    ...{ engine, device, directIo, blockPid, access },
    // null where the attachment is not whole
    netSize: attachments[0]?.number == null ? null : await deviceBytes(attachments[0].number),
    ...(mount === undefined || problem !== undefined ? {} : { ...(await roomOf(mount.point)), filesystem: mount.type }),
    state: problem === undefined ? 'open' : 'stale',
    // what was attached read-only is meant to be so
    readOnly: mount === undefined || access === 'readOnly' ? null : (context.watch.stops.reason(mount) ?? null),
    problem: problem?.toJSON() ?? null,
  };
  return { paths, container, attachments, mount, report };
};
