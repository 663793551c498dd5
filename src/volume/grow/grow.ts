import { sizeText } from '../../config/size.ts';
import { ReelError } from '../../errors.ts';
import type { GrowReport } from '../../helper/protocol/grow.ts';
import type { Requests } from '../../helper/protocol.ts';
import { deviceBytes } from '../../luks/container-size.ts';
import { guardOf } from '../../luks/luks.ts';
import { refuseReencrypting } from '../../luks/reencryption.ts';
import type { LuksDump } from '../../luks/types.ts';
import { reached, type VolumeContext } from '../context.ts';
import type { Attachment, ContainerFile } from '../engine/engine.ts';
import type { VolumePaths } from '../layout.ts';
import { type Look, lookAt, throwStorageProblem } from '../look.ts';
import type { Mount } from '../mountinfo.ts';
import { refuseReplaced } from '../refuse-replaced.ts';
import { allocate, lengthen, refuseNoSpace } from './container.ts';
import { growMounted, type Mounted, measureFilesystem, onlineRefusal } from './filesystem.ts';
import { readJournal, removeJournal, writeJournal } from './journal.ts';

/** A volume that may grow: all that the steps work with. */
interface Subject {
  readonly look: Look;
  readonly container: ContainerFile;
  readonly header: LuksDump;
  /** Null while it is locked. */
  readonly open: { readonly attachment: Attachment; readonly mount: Mount } | null;
}

type Filesystem = Pick<GrowReport['grown'], 'filesystem' | 'filesystemSize' | 'reason'>;

/** The procedure "Grow" of docs/volumes.md. Idempotent; the same call again goes on where one was interrupted. */
export const growVolume = async (context: VolumeContext, request: Requests['grow']): Promise<GrowReport> => {
  // 1 what is there, and whether it may grow
  const subject = await examine(context, request);
  const { container, look, open } = subject;
  refuseSizeOf(request, look.paths);
  if (look.paths.isDevice) return growOnDevice(context, request, subject);
  const { size: to = container.size } = request;
  const journal = await readJournal(look.paths.growing, container.uuid);
  refuseSmaller(to, { size: container.size, journalled: journal?.to, header: subject.header.dataOffset });
  await refuseNoSpace(container.path, to);
  reached(context, 'grow-checked');
  const from = journal?.from ?? container.size;
  if (open === null && journal === undefined && to === container.size) {
    return { ...look.report, grown: { from, to, filesystem: 'grown', filesystemSize: null, reason: null } };
  }
  // 2 journal
  await writeJournal(look.paths.growing, { uuid: container.uuid, from, to });
  reached(context, 'grow-journalled');
  // 3 storage, beyond the end: on failure nothing has changed
  try {
    await allocate(container.path, to);
  } catch (error) {
    const { size, uuid } = container;
    if (size === from) await removeJournal(look.paths.growing);
    else await writeJournal(look.paths.growing, { uuid, from, to: size });
    throw error;
  }
  reached(context, 'grow-allocated');
  // 4 length
  await lengthen(container.path, to);
  reached(context, 'grow-lengthened');
  const filesystem = open === null ? atOpen('the volume is locked') : await growOpen(context, subject, to);
  if (filesystem.filesystem === 'grown') {
    // 8 done
    await removeJournal(look.paths.growing);
    reached(context, 'grow-done');
  }
  const { report } = await lookAt(context, request.name, { container: request.container });
  return { ...report, grown: { from, to, ...filesystem } };
};

const refuseSizeOf = ({ name, size }: Requests['grow'], { isDevice }: VolumePaths): void => {
  if (isDevice === (size === undefined)) return;
  throw new ReelError('invalid-argument', {
    expected: isDevice ? `no size for ${name}, which has all of its block device` : `a new size for ${name}`,
    got: size === undefined ? 'none' : sizeText(size),
    hint: isDevice ? 'make the device larger, then grow the volume without a size' : 'say one, such as 20G or +5G',
  });
};

/** Whoever made the device larger did steps 3 and 4. The journal has the rest done also after a crash. */
const growOnDevice = async (
  context: VolumeContext,
  { name, container: at }: Requests['grow'],
  subject: Subject,
): Promise<GrowReport> => {
  const { container, header, look, open } = subject;
  const { growing } = look.paths;
  if (open === null) {
    throw new ReelError('volume-state', {
      expected: `the volume ${name} to be open`,
      got: 'a locked one',
      hint: 'open it first: its device has the new size then, and its filesystem is grown in use',
    });
  }
  const to = container.size;
  const journal = await readJournal(growing, container.uuid);
  const from = journal?.from ?? (await deviceBytes(open.mount.device)) + header.dataOffset;
  if (to < from) {
    const hint = 'a volume never shrinks: give the device its size back before anything is written there';
    throw new ReelError('container-short', {
      expected: `${sizeText(from)} on ${container.path}`,
      got: sizeText(to),
      hint,
    });
  }
  reached(context, 'grow-checked');
  await writeJournal(growing, { uuid: container.uuid, from, to });
  reached(context, 'grow-journalled');
  const filesystem = await growOpen(context, subject, to);
  if (filesystem.filesystem === 'grown') {
    await removeJournal(growing);
    reached(context, 'grow-done');
  }
  const { report } = await lookAt(context, name, { container: at });
  return { ...report, grown: { from, to, ...filesystem } };
};

const atOpen = (reason: string): Filesystem => ({ filesystem: 'at-open', filesystemSize: null, reason });

const examine = async (context: VolumeContext, request: Requests['grow']): Promise<Subject> => {
  const { name, uuid } = request;
  const look = await lookAt(context, name, { container: request.container, readBlock: true });
  const { container, report } = look;
  if (container === undefined) {
    throw new ReelError('not-found', { expected: `a container of volume ${name}`, got: 'none' });
  }
  refuseReplaced(container, uuid);
  const [attachment] = look.attachments;
  const isOpen = report.state === 'open' && attachment !== undefined && look.mount !== undefined;
  if (report.access === 'readOnly') {
    throw new ReelError('volume-state', {
      expected: `the volume ${name} to be locked, or open for writing`,
      got: 'one that is open read-only',
      hint: 'lock it first, or open it for writing',
    });
  }
  throwStorageProblem(report);
  if (report.readOnly !== null || !(isOpen || report.state === 'locked')) {
    throw new ReelError('volume-state', {
      expected: `the volume ${name} to be locked, or open and taking writes`,
      got: report.problem?.got ?? report.readOnly ?? report.state,
      hint: 'open or lock it first: that sets it right',
    });
  }
  const header = await context.luks.dump(container.path);
  refuseReencrypting(header, name);
  refuseHeader(header);
  const open = isOpen ? { attachment, mount: look.mount } : null;
  return { look, container, header, open };
};

const refuseHeader = (header: LuksDump): void => {
  if (guardOf(header) === 'created') {
    throw new ReelError('volume-state', {
      expected: 'a container whose making was finished',
      got: 'one whose filesystem was never completed',
    });
  }
  const [requirement] = header.requirements;
  if (requirement !== undefined) {
    throw new ReelError('volume-state', {
      expected: 'a container that nothing is being done to',
      got: `the requirement ${requirement} in its header`,
      hint: 'finish first what set it',
    });
  }
  if (header.dataSize === 'dynamic') return;
  throw new ReelError('luks-unsupported', {
    expected: 'a payload that reaches to the end of the container',
    got: `one that the header fixes at ${sizeText(header.dataSize)}`,
    hint: 'make a new volume of the wanted size and copy the recordings',
  });
};

/** All of them bytes of the container; what is said of them is net, as admins count. */
interface Sizes {
  readonly size: number;
  readonly journalled: number | undefined;
  readonly header: number;
}

const refuseSmaller = (to: number, { size, journalled, header }: Sizes): void => {
  const net = (bytes: number): string => `${sizeText(bytes - header)} net`;
  const invalid = (expected: string, hint: string): ReelError =>
    new ReelError('invalid-argument', { expected, got: net(to), hint });
  if (to < size) {
    throw invalid(
      `at least ${net(size)}, the size it has`,
      'a volume never shrinks: what lies at its end would have to be moved while a cut at the wrong place loses all of it; make a ' +
        'smaller volume and copy the recordings',
    );
  }
  if (journalled !== undefined && to < journalled) {
    throw invalid(`at least ${net(journalled)}, which the volume is on its way to`, 'grow it to that size first');
  }
};

/** The steps of a volume that is in use. Whoever writes into it goes on. */
const growOpen = async (context: VolumeContext, subject: Subject, to: number): Promise<Filesystem> => {
  const { container, header, open } = subject;
  if (open === null) return atOpen('the volume is locked');
  const { attachment, mount } = open;
  // 5 device
  await context.engines[attachment.engine].grow(container, (layer) => reached(context, `grow-${layer}`));
  const expected = to - header.dataOffset;
  const device = await deviceBytes(mount.device);
  if (device !== expected) throw wrongSize(`${mount.source} to have ${sizeText(expected)}`, device);
  reached(context, 'grow-device');
  // 6 filesystem
  const mounted: Mounted = { type: mount.type, device: mount.source, point: mount.point };
  const refused = await onlineRefusal(mount.type);
  if (refused === undefined) await growMounted(mounted);
  reached(context, 'grow-filesystem');
  // 7 all sizes
  const { size, full } = await measureFilesystem(mounted, device);
  if (!full && refused !== undefined) return atOpen(refused);
  if (!full) throw wrongSize(`a filesystem as large as its device of ${sizeText(device)}`, size);
  reached(context, 'grow-verified');
  return { filesystem: 'grown', filesystemSize: size, reason: null };
};

const wrongSize = (expected: string, got: number): ReelError =>
  new ReelError('io-error', {
    expected,
    got: sizeText(got),
    hint: 'nothing is lost; lock the volume and open it again, then grow it to the same size',
  });
