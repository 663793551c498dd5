import { ReelError } from '../errors.ts';
import type { OpenedReport, VolumeReport } from '../helper/protocol/volume.ts';
import type { Requests } from '../helper/protocol.ts';
import { guardOf } from '../luks/luks.ts';
import { isReencrypting } from '../luks/reencryption.ts';
import type { LuksDump } from '../luks/types.ts';
import { reached, type VolumeContext } from './context.ts';
import { unfinishedDestroy } from './destroy/journal.ts';
import { makeMountPoint } from './directories.ts';
import type { AttachOptions, ContainerFile, Engine } from './engine/engine.ts';
import { checkFilesystem, mountFilesystem } from './filesystem.ts';
import { growBeforeMount } from './grow/before-mount.ts';
import { proveHeader } from './headers/prove-header.ts';
import { withRestoreHint } from './headers/restore-hint.ts';
import { proveIdentity } from './identity.ts';
import { otherKeysHint, readKeyFile } from './key-file.ts';
import type { VolumePaths } from './layout.ts';
import { lookAt } from './look.ts';
import { mountAt, readMounts } from './mountinfo.ts';
import { openOtherwise } from './open-otherwise.ts';
import { awaitOrphans } from './orphans.ts';
import { continueBelow, proveCarriedKey, refuseUnopenable } from './reencrypt/reencrypt.ts';
import { refuseReplaced } from './refuse-replaced.ts';
import { tearDown } from './teardown.ts';
import { withUndo } from './undo.ts';
import { finishRename } from './unfinished.ts';

const describe = (header: LuksDump): Pick<OpenedReport, 'cipher' | 'keyBits' | 'sectorSize'> => ({
  cipher: header.cipher,
  keyBits: header.keyBits,
  sectorSize: header.sectorSize,
});

/** The procedure "Open" of docs/volumes.md. Idempotent. `secret` is the caller's. */
export const openVolume = async (
  context: VolumeContext,
  request: Requests['open'],
  secret: Buffer,
): Promise<OpenedReport> => {
  const { name, readOnly = false } = request;
  // 1 what is there
  await finishRename(context.layout.paths(name, request.container));
  const look = await lookAt(context, name, { container: request.container, readBlock: true }).catch(
    async (error: unknown) => {
      throw await withRestoreHint(context, request, error);
    },
  );
  const { container, paths } = look;
  // only as long as it is attached does anybody know where the file is
  if (look.report.problem?.code === 'container-changed' && !paths.isDevice)
    throw new ReelError('container-changed', look.report.problem);
  if (container === undefined || container.block === 'gone') throw notThere(name, look.report.state);
  refuseReplaced(container, request.uuid);
  // 2 header and guard
  if (look.report.state !== 'open') await proveHeader(paths, { uuid: request.uuid, size: request.size });
  const header = await context.luks.dump(container.path);
  if (isUsable(look.report, readOnly)) return { ...look.report, ...describe(header) };
  if (isUsable(look.report, !readOnly)) throw openOtherwise(name, readOnly);
  if (isReencrypting(header)) await refuseUnopenable(header, container, request);
  if (guardOf(header) === 'created') {
    throw new ReelError('volume-state', {
      expected: 'a container whose making was finished',
      got: 'one whose filesystem was never completed',
      hint: 'move the file away and create the volume again',
    });
  }
  // 3 clean up pieces
  if (look.report.state !== 'locked') {
    await awaitOrphans(look.attachments.flatMap((attachment) => attachment.devices));
    await tearDown(context, container, paths.mountPoint);
  }
  if ((await lookAt(context, name, { container: request.container })).report.state !== 'locked') {
    throw new ReelError('volume-state', {
      expected: `nothing mounted at ${paths.mountPoint}`,
      got: 'a filesystem that is not of this volume',
      hint: 'unmount it first',
    });
  }
  reached(context, 'cleaned');
  const key = request.key === 'keyFile' ? await readKeyFile(paths.key, otherKeysHint) : secret;
  try {
    if (isReencrypting(header)) await proveCarriedKey(context, container.path, key);
    const { engine, performance = [], discard = false } = request;
    const attach = { sectorSize: header.sectorSize, readOnly, performance, discard };
    const report = await bringUp(context, { paths, container, header, engine, attach, key });
    return { ...report, ...describe(header) };
  } finally {
    if (request.key === 'keyFile') key.fill(0);
  }
};

/** The last look, as everybody after this will see the volume. Throws what keeps it from being usable. */
const proveUsable = async (context: VolumeContext, what: BringUp): Promise<VolumeReport> => {
  const { readOnly = false } = what.attach;
  const { report } = await lookAt(context, what.paths.name, { container: what.paths.container });
  if (isUsable(report, readOnly)) return report;
  if (report.problem !== null) throw new ReelError(report.problem.code, report.problem);
  const got = report.readOnly ?? report.state;
  throw new ReelError('volume-state', { expected: `an open volume${readOnly ? '' : ' that takes writes'}`, got });
};

/** An open volume that stopped writing after an error is taken down, checked and mounted again like one whose block plane died. */
const isUsable = (report: VolumeReport, readOnly: boolean): boolean =>
  report.state === 'open' && report.readOnly === null && report.access === (readOnly ? 'readOnly' : 'readWrite');

const notThere = (name: string, state: string): ReelError => {
  if (state === 'destroying') return unfinishedDestroy(name);
  return state === 'unfinished'
    ? new ReelError('volume-state', {
        expected: `a finished volume ${name}`,
        got: 'one whose making was interrupted',
        hint: 'create it again; the remains are cleaned up then',
      })
    : new ReelError('not-found', { expected: `a container of volume ${name}`, got: 'none' });
};

interface BringUp {
  readonly paths: VolumePaths;
  readonly container: ContainerFile;
  readonly header: LuksDump;
  readonly engine: Requests['open']['engine'];
  readonly attach: AttachOptions;
  readonly key: Buffer;
}

/** All or nothing: attach, check, mount, prove, go on with what was under way. */
const bringUp = (context: VolumeContext, what: BringUp): Promise<VolumeReport> =>
  withUndo(async (undo) => {
    const { paths, container, header, engine, attach, key } = what;
    const { name, mountPoint } = paths;
    const { readOnly = false, discard } = attach;
    // 4 attach
    const probe = await context.engines[engine].probe();
    if (!probe.usable) {
      throw new ReelError('engine-unavailable', {
        expected: `the ${engine} engine, which this volume uses`,
        got: probe.reason,
      });
    }
    const { device } = await context.engines[engine].attach(container, key, attach);
    if (device === null) throw new ReelError('internal', { expected: 'a device of a whole attachment', got: 'none' });
    undo.push('attached and mounted devices', () => tearDown(context, container, mountPoint));
    reached(context, 'attached');
    try {
      // 5 check
      const type = await checkFilesystem(device, { readOnly });
      const ours = type === 'ext4' && !readOnly;
      if (ours && (await growBeforeMount(context, name, container, device)))
        await checkFilesystem(device, { readOnly });
      reached(context, 'checked');
      // 6 mount
      await makeMountPoint(mountPoint);
      await mountFilesystem(type, device, mountPoint, { readOnly, discard });
      const mount = mountAt(await readMounts(), mountPoint);
      if (mount !== undefined) context.watch.stops.mounted(mount);
      reached(context, 'mounted');
      // 7 prove
      await proveIdentity(mountPoint, { layout: 1, uuid: container.uuid, name });
      reached(context, 'proven');
      // 8 a new volume key, of which a part was written
      await continueBelow(context, { paths, container }, header, key);
      return await proveUsable(context, what);
    } catch (error) {
      throw await explainDeath(context.engines[engine], container, error);
    }
  });

/** A block plane that died meanwhile makes each step fail in another way, and none of these errors says what to do. */
const explainDeath = async (engine: Engine, container: ContainerFile, cause: unknown): Promise<unknown> => {
  const attachment = await engine.find(container);
  if (engine.name !== 'userspace' || attachment?.blockPid !== null) return cause;
  return new ReelError('block-plane-died', {
    expected: `a block plane that serves ${container.path} while it is opened`,
    got: attachment.problem ?? 'a process that ended',
    hint: 'open the volume again',
    cause,
  });
};
