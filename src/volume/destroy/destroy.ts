import { stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { ReelError, toReelError } from '../../errors.ts';
import { layoutOf } from '../../luks/header/header-areas.ts';
import { readHeader } from '../../luks/header/read-header.ts';
import { reached, type VolumeContext } from '../context.ts';
import { resolveDevice } from '../device/block-device.ts';
import { signaturesOn } from '../device/signatures.ts';
import { exists, removeFile, removeMountPoint, syncDirectory } from '../directories.ts';
import { removeHeaderBackups } from '../headers/backup.ts';
import { backupPlaces } from '../headers/backup-files.ts';
import { findContainer, refuseOpen, type Which } from '../headers/find-container.ts';
import { overwriteArea } from '../headers/header-area.ts';
import type { VolumePaths } from '../layout.ts';
import { readLuksHeader } from '../luks-header.ts';
import { mountAt, readMounts } from '../mountinfo.ts';
import { refuseUnderReencryption } from '../reencrypt/refuse.ts';
import { shred } from '../shred.ts';
import { finishRename } from '../unfinished.ts';
import { type Journal, readJournal, writeJournal } from './journal.ts';
import { type DestroyReport, outOfReach } from './report.ts';

export interface DestroyRequest extends Which {
  /** The name again: nobody destroys a volume by a slip of the hand. */
  readonly confirm: string;
}

/** The largest LUKS2 header: two copies of 4 MiB and 128 MiB of keyslots. Where a header cannot be read, it may have been this one. */
const largestHeader = 2 * 0x400000 + 128 * 1024 * 1024;

/** The procedure "Destroy" of docs/volumes.md; an interrupted one is finished by the same call. */
export const destroyVolume = async (context: VolumeContext, request: DestroyRequest): Promise<DestroyReport> => {
  const { name, confirm } = request;
  const paths = context.layout.paths(name, request.container);
  if (confirm !== name) {
    throw new ReelError('invalid-argument', {
      expected: `the name of the volume again (${name}), to destroy it`,
      got: confirm === '' ? 'nothing' : confirm,
    });
  }
  // 1 locked, and written down
  const begun = await readJournal(paths);
  const journal = begun === undefined ? await begin(context, request, paths) : resumed(begun);
  await refuseMounted(paths);
  if (paths.isDevice && begun !== undefined) await refuseForeign(paths, begun);
  await writeJournal(paths, journal);
  reached(context, 'destroy-marked');
  return finish(context, paths, journal);
};

/**
 * The name of a device may lead to another one by now. Ours bears the header of this UUID, or, where the former call came that far, random
 * bytes in its place. Throws `container-replaced`.
 */
const refuseForeign = async ({ container, name }: VolumePaths, { report }: Journal): Promise<void> => {
  if (!(await exists(container))) return;
  const { node } = await resolveDevice(container);
  const uuid = await readLuksHeader(node).then(
    (header) => header.uuid,
    () => null,
  );
  if (uuid === report.uuid) return;
  const found = await signaturesOn(node);
  if (uuid === null && found.every(({ type }) => type === 'crypto_LUKS')) return;
  throw new ReelError('container-replaced', {
    expected: `the device of ${name} at ${container}`,
    got: uuid === null ? `one with ${found.map(({ type }) => type).join(', ')}` : `the container ${uuid}`,
    hint: 'connect the right device; nothing was written to this one',
  });
};

const resumed = (journal: Journal): Journal => ({ ...journal, report: { ...journal.report, resumed: true } });

const refuseMounted = async ({ name, mountPoint }: VolumePaths): Promise<void> => {
  const mount = mountAt(await readMounts(), mountPoint);
  if (mount === undefined) return;
  throw new ReelError('volume-busy', {
    expected: `nothing mounted at ${mountPoint}`,
    got: mount.source,
    hint: `lock the volume ${name} first`,
  });
};

/** Refuses what is open or another container. A volume whose container is gone has backups and a key all the same. */
const begin = async (context: VolumeContext, request: DestroyRequest, paths: VolumePaths): Promise<Journal> => {
  await finishRename(paths);
  const nothing = { keyslots: [], headerBytes: 0, backups: { files: 0, bytes: 0 }, keyFile: null, containerBytes: 0 };
  const report = {
    name: paths.name,
    container: paths.container,
    resumed: false,
    ...nothing,
    mountPoint: null,
    notes: [],
  };
  const directories = [context.layout.keys, ...backupPlaces(context)];
  const device = paths.isDevice ? paths.container : undefined;
  if (!(await exists(paths.container))) {
    const notes = ['there was no container'];
    const notGuaranteed = await outOfReach({ directories, links: 1, device });
    return { layout: 1, report: { ...report, uuid: request.uuid ?? null, notes, notGuaranteed }, headerEnd: 0 };
  }
  const found = await identify(context, request);
  const { header, uuid } = found;
  const links = paths.isDevice ? 1 : (await stat(paths.container)).nlink;
  const { size } = header;
  const readable = header.type === 'luks1' || header.type === 'luks2';
  const layout = readable ? layoutOf(header) : undefined;
  const headerEnd = Math.min(layout === undefined ? largestHeader : Math.max(layout.headerBytes, layout.payload), size);
  const home = paths.isDevice ? [] : [path.dirname(paths.container)];
  const notGuaranteed = await outOfReach({ directories: [...home, ...directories], links, device });
  const notes = [
    ...(readable ? [] : ['the header could not be read: as much was overwritten as the largest header takes']),
    ...(paths.isDevice
      ? [`the block device ${paths.container} stays, without a header; nothing on it was unlinked`]
      : []),
  ];
  return { layout: 1, report: { ...report, uuid, notes, notGuaranteed }, headerEnd };
};

/** A file that tells nothing of itself is destroyed too: it lies where the volume's container belongs. */
const identify = async (context: VolumeContext, request: DestroyRequest) => {
  try {
    const found = await findContainer(context, request);
    await refuseOpen(context, found);
    await refuseUnderReencryption(
      found,
      `where its key is lost, remove ${found.paths.container} by hand and repeat this`,
    );
    return found;
  } catch (thrown) {
    const { code } = toReelError(thrown);
    if (code !== 'not-luks' && code !== 'luks-damaged') throw thrown;
    return { header: await readHeader(context.layout.paths(request.name, request.container).container), uuid: null };
  }
};

/** Each step may be done again; what an interrupted call had done already is in the journal. */
const finish = async (context: VolumeContext, paths: VolumePaths, journal: Journal): Promise<DestroyReport> => {
  const { headerEnd } = journal;
  let { report } = journal;
  const note = async (step: string, done: Partial<DestroyReport>): Promise<void> => {
    report = { ...report, ...done };
    await writeJournal(paths, { ...journal, report });
    reached(context, step);
  };
  // 2 keyslots
  const { keyslots, notes } = await eraseKeyslots(context, paths);
  await note('destroy-erased', {
    keyslots: report.keyslots.length > 0 ? report.keyslots : keyslots,
    notes: [...report.notes, ...(report.resumed ? [] : notes)],
  });
  // 3 header
  if (await exists(paths.container)) {
    await overwriteArea(paths.container, 0, headerEnd);
    await note('destroy-overwritten', { headerBytes: headerEnd });
  }
  // 4 backups
  const removed = report.uuid === null ? { files: 0, bytes: 0 } : await removeHeaderBackups(context, report.uuid);
  const { files, bytes } = report.backups;
  await note('destroy-backups', { backups: { files: files + removed.files, bytes: bytes + removed.bytes } });
  // 5 key
  let keyBytes = 0;
  for (const file of [paths.key, paths.nextKey, paths.formerKey]) keyBytes += await shred(file);
  await note('destroy-key', keyBytes === 0 ? {} : { keyFile: { file: paths.key, bytes: keyBytes } });
  // 6 container
  const size = paths.isDevice ? 0 : await unlinkContainer(paths.container);
  await note('destroy-unlinked', size === 0 ? {} : { containerBytes: size });
  // 7 mount point and the rest
  if (await exists(paths.mountPoint)) {
    await removeMountPoint(paths.mountPoint);
    report = { ...report, mountPoint: paths.mountPoint };
  }
  for (const file of [paths.restoring, paths.growing]) await removeFile(file);
  await note('destroy-mount-point', {});
  await removeFile(paths.destroying);
  reached(context, 'destroyed');
  return report;
};

/** By cryptsetup, which proves that no slot is left. A header that it cannot read has its turn in the next step. */
const eraseKeyslots = async (
  context: VolumeContext,
  { container }: VolumePaths,
): Promise<{ readonly keyslots: readonly number[]; readonly notes: readonly string[] }> => {
  if (!(await exists(container))) return { keyslots: [], notes: [] };
  try {
    return { keyslots: await context.luks.erase(container), notes: [] };
  } catch (thrown) {
    const { code, message } = toReelError(thrown);
    if (code === 'io-error') throw thrown;
    return {
      keyslots: [],
      notes: [`cryptsetup could not erase the keyslots (${message}): they were overwritten only`],
    };
  }
};

const unlinkContainer = async (file: string): Promise<number> => {
  if (!(await exists(file))) return 0;
  const { size } = await stat(file);
  await unlink(file);
  await syncDirectory(path.dirname(file));
  return size;
};
