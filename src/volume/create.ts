import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { ReelError } from '../errors.ts';
import type { OpenedReport } from '../helper/protocol/volume.ts';
import type { Requests } from '../helper/protocol.ts';
import { pbkdfForPhrase, pbkdfForRandomKey } from '../luks/luks.ts';
import type { LuksDump } from '../luks/types.ts';
import { reached, type VolumeContext } from './context.ts';
import { explainNoSpace } from './create/allocate.ts';
import { checkOptions, headerBytes } from './create/options.ts';
import { deviceTarget, fileTarget, type Target } from './create/target.ts';
import { unfinishedDestroy } from './destroy/journal.ts';
import { removeUnfinishedDevice } from './device/unfinished.ts';
import { exists, makeMountPoint, removeFile, removeMountPoint } from './directories.ts';
import { flushFilesystem, makeFilesystem, mountFilesystem } from './filesystem.ts';
import { backUpHeader, removeHeaderBackups } from './headers/backup.ts';
import { giveRoot, writeIdentity } from './identity.ts';
import { makeKeyFile } from './key-file.ts';
import { rememberKind } from './keys/kinds.ts';
import type { VolumePaths } from './layout.ts';
import { lockVolume } from './lock.ts';
import { containerAt, lookAt } from './look.ts';
import { mountAt, readMounts } from './mountinfo.ts';
import { tearDown } from './teardown.ts';
import { type UndoStack, withUndo } from './undo.ts';
import { finishRename, removeUnfinished } from './unfinished.ts';

/** The procedure "Create" of docs/volumes.md. `secret` is the caller's. */
export const createVolume = async (
  context: VolumeContext,
  request: Requests['create'],
  secret: Buffer,
): Promise<OpenedReport> => {
  checkOptions(request);
  const paths = context.layout.paths(request.name, request.device);
  if (request.device !== undefined && !paths.isDevice) throw noDevice(request.device);
  // 1 nothing of this name
  await finishRename(paths);
  await removeUnfinishedDevice(context, paths);
  await refuseExisting(context, paths);
  await removeUnfinished(context, paths);
  const mounted = mountAt(await readMounts(), paths.mountPoint);
  if (mounted !== undefined) {
    throw new ReelError('volume-state', {
      expected: `nothing mounted at ${paths.mountPoint}`,
      got: mounted.source,
      hint: 'unmount it first',
    });
  }
  const probe = await context.engines[request.engine].probe();
  if (!probe.usable) {
    throw new ReelError('engine-unavailable', { expected: `the ${request.engine} engine`, got: probe.reason });
  }
  reached(context, 'checked');
  const header = await make(context, request, paths, secret);
  // From here on the volume exists, whatever becomes of this call.
  const { name, device, open: stayOpen } = request;
  const report = stayOpen
    ? (await lookAt(context, name, { container: device, readBlock: true })).report
    : await lockVolume(context, name, device);
  return { ...report, cipher: header.cipher, keyBits: header.keyBits, sectorSize: header.sectorSize };
};

const refuseExisting = async (context: VolumeContext, paths: VolumePaths): Promise<void> => {
  const { name, key, destroying } = paths;
  if (await exists(destroying)) throw unfinishedDestroy(name);
  // a volume of this name on a device does not keep its name here, but its key
  const container = context.layout.paths(name).container;
  for (const file of [container, key]) {
    if (!(await exists(file))) continue;
    const whole =
      file === container &&
      (await containerAt(context, file).then(
        () => true,
        () => false,
      ));
    throw new ReelError('already-exists', {
      expected: `no file at ${file}`,
      got: 'one',
      hint: whole ? `open the volume ${name}, or choose another name` : 'move it away, or choose another name',
    });
  }
};

const noDevice = (device: string): ReelError =>
  new ReelError('device-refused', {
    expected: 'a block device',
    got: device,
    hint: 'without --device a container is a file, whose place is chosen by its name',
    details: { device },
  });

const make = async (
  context: VolumeContext,
  request: Requests['create'],
  paths: VolumePaths,
  secret: Buffer,
): Promise<LuksDump> => {
  const { uuid = randomUUID() } = request;
  const target = paths.isDevice
    ? await deviceTarget(context, paths, request, uuid)
    : fileTarget(context, paths, request);
  try {
    return await makeIn(context, { request, paths, target, uuid }, secret);
  } finally {
    await target.close();
  }
};

interface Making {
  readonly request: Requests['create'];
  readonly paths: VolumePaths;
  readonly target: Target;
  readonly uuid: string;
}

/** All or nothing. Leaves the volume open. */
const makeIn = (context: VolumeContext, { request, paths, target, uuid }: Making, secret: Buffer): Promise<LuksDump> =>
  withUndo(async (undo) => {
    const { name, type, filesystem = 'ext4', label } = request;
    const { file, size } = target;
    const { performance = [], discard = false } = request;
    // 2 key
    const key = request.key === 'keyFile' ? await newKeyFile(paths, undo) : secret;
    try {
      reached(context, 'key');
      // 3 space
      await target.take(undo);
      reached(context, 'allocated');
      // 4 header
      const chosen = request.key === 'keyFile' ? pbkdfForRandomKey : await pbkdfForPhrase(type);
      const { cipher, keyBits } = request;
      const header = await context.luks.format(file, key, {
        ...{ type, pbkdf: context.pbkdf ?? chosen, cipher, keyBits, sectorSize: target.sectorSize, uuid },
        dataOffset: paths.isDevice ? headerBytes[type] : undefined,
        label: type === 'luks2' ? label : undefined,
      });
      if (type === 'luks2') await context.luks.writeGuard(file, 'created');
      await rememberKind(context.luks, file, 0, request.key);
      reached(context, 'formatted');
      // 5 mount point
      if (!(await exists(paths.mountPoint))) undo.push(paths.mountPoint, () => removeMountPoint(paths.mountPoint));
      await makeMountPoint(paths.mountPoint);
      // 6 attach
      const container = await containerAt(context, target.path);
      const { device } = await context.engines[request.engine].attach(container, key, {
        ...{ sectorSize: header.sectorSize, performance, discard },
        ...(paths.isDevice ? {} : { finalPath: paths.container }),
      });
      if (device === null) throw new ReelError('internal', { expected: 'a device of a whole attachment', got: 'none' });
      undo.push('attached and mounted devices', () => tearDown(context, container, paths.mountPoint));
      reached(context, 'attached');
      // 7 filesystem
      await makeFilesystem(filesystem, { device, size: size - headerBytes[type], label });
      reached(context, 'filesystem');
      await mountFilesystem(filesystem, device, paths.mountPoint, { readOnly: false, discard });
      reached(context, 'mounted');
      // 8 identity
      await writeIdentity(paths.mountPoint, { layout: 1, uuid: container.uuid, name }, context.service);
      await giveRoot(paths.mountPoint, request, context.service);
      await flushFilesystem(paths.mountPoint);
      reached(context, 'identity');
      // 9 guard and header backup
      if (type === 'luks2') await context.luks.writeGuard(file, 'formatted');
      undo.push('header backup', () => removeHeaderBackups(context, container.uuid));
      await backUpHeader(context, container);
      reached(context, 'backup');
      // 10 names
      await target.name(undo);
      reached(context, 'named');
      return header;
    } catch (error) {
      throw await explainNoSpace(error, path.dirname(paths.container));
    } finally {
      if (request.key === 'keyFile') key.fill(0);
    }
  });

const newKeyFile = async (paths: VolumePaths, undo: UndoStack): Promise<Buffer> => {
  undo.push(paths.creatingKey, () => removeFile(paths.creatingKey));
  return makeKeyFile(paths.creatingKey);
};
