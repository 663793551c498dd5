/** A new volume key for a LUKS2 volume that is locked, or open with the kernel engine. The procedure "A new volume key" of docs/keys.md. */
import { ReelError } from '../../errors.ts';
import type { ReencryptFinished, ReencryptReport } from '../../helper/protocol/reencrypt.ts';
import type { Requests } from '../../helper/protocol.ts';
import { isReencrypting, type Rewritten, refuseReencrypting } from '../../luks/reencryption.ts';
import type { LuksDump } from '../../luks/types.ts';
import { reached, type VolumeContext } from '../context.ts';
import { removeFile } from '../directories.ts';
import { mappingName } from '../engine/mapping-name.ts';
import { findRewriters } from '../engine/rewriter.ts';
import { renewHeaderBackup } from '../headers/backup.ts';
import { type Begun, type Located, locate, look, settle, withCurrent } from '../keys/begin.ts';
import { forgetRemoved, kindOf } from '../keys/kinds.ts';
import { dropKeyFile } from '../keys/remove.ts';
import { pbkdfFor } from '../keys/slot.ts';
import { attachmentsOf } from '../look.ts';
import { isRewritten, mark, unmark } from './mark.ts';
import { outputOf, readProgress } from './progress.ts';

type Asked = Parameters<typeof locate>[1];

/** What there is to see, without a key and without a change. */
export const reencryptionOf = async (context: VolumeContext, request: Asked): Promise<ReencryptReport> =>
  report(context, await locate(context, request));

const report = async (context: VolumeContext, { container }: Located): Promise<ReencryptReport> => {
  // In this order: what has ended has written its last, and a header that is being written is not read.
  if (findRewriters(container).length > 0) {
    const { progress } = await readProgress(context, container.uuid);
    return { state: 'running', progress, problem: null };
  }
  const header = await context.luks.dump(container.path);
  if (isReencrypting(header)) {
    const { progress, words } = await readProgress(context, container.uuid);
    return { state: 'unfinished', progress, problem: words };
  }
  return { state: isRewritten(header) ? 'rewritten' : 'none', progress: null, problem: null };
};

/** Steps 1 to 7, or 7 alone where it was begun already. The secret is the caller's. */
export const startReencryption = async (
  context: VolumeContext,
  request: Requests['reencrypt-start'],
  secret: Buffer | undefined,
): Promise<ReencryptReport> => {
  // 1 a LUKS2 container, locked or open with the kernel engine, on which nobody is at work
  const located = await locate(context, request);
  const found = await report(context, located);
  if (found.state === 'running') return found;
  if (found.state === 'rewritten') await finish(context, located);
  const begun = await look(context, request);
  const what = await reach(context, begun, request.name);
  return withCurrent(begun, request.current, secret, async (key) => {
    if (found.state !== 'unfinished') await begin(context, begun, what, request, key);
    return goOn(context, begun, what, key);
  });
};

/** Step 7 again, after whatever ended it. */
export const resumeReencryption = async (
  context: VolumeContext,
  request: Requests['reencrypt-resume'],
  secret: Buffer | undefined,
): Promise<ReencryptReport> => {
  const located = await locate(context, request);
  const found = await report(context, located);
  if (found.state !== 'unfinished') return found;
  const begun = await look(context, request);
  const what = await reach(context, begun, request.name);
  return withCurrent(begun, request.current, secret, (key) => goOn(context, begun, what, key));
};

/**
 * Step 7 again, below a volume that is being opened: `key` is the one that opened it. Nothing where the header has one volume key. The caller has
 * attached the container, which mended the piece that was in work at a crash.
 */
export const continueBelow = async (
  context: VolumeContext,
  located: Located,
  header: LuksDump,
  key: Buffer,
): Promise<void> => {
  if (!isReencrypting(header)) return;
  await goOn(context, located, await reach(context, { ...located, header }, located.paths.name), key);
};

/** Throws `reencryption-unfinished` unless a volume between two volume keys can be opened, and gone on with, as it is asked for. */
export const refuseUnopenable = async (
  header: LuksDump,
  container: Located['container'],
  { name, engine, readOnly }: Pick<Requests['open'], 'name' | 'engine' | 'readOnly'>,
): Promise<void> => {
  if (engine === 'kernel' && readOnly !== true && findRewriters(container).length === 0) return;
  refuseReencrypting(header, name);
};

/** Steps 8 and 9. Idempotent; nothing where nothing is to be done. */
export const finishReencryption = async (context: VolumeContext, request: Asked): Promise<ReencryptFinished> => {
  const located = await locate(context, request);
  if ((await report(context, located)).state !== 'rewritten') return { finished: false, keyFileRemoved: false };
  return { finished: true, keyFileRemoved: await finish(context, located) };
};

/** What there is to rewrite. Throws `luks-unsupported` for LUKS1, `volume-state` where neither way is open. */
const reach = async (context: VolumeContext, { container, header }: Begun, name: string): Promise<Rewritten> => {
  if (header.type === 'luks1') {
    throw new ReelError('luks-unsupported', {
      expected: 'LUKS2, whose reencryption survives a crash',
      got: 'LUKS1',
      hint: 'make a new volume and copy the recordings',
    });
  }
  const file = container.path;
  const [attachment] = await attachmentsOf(context, container);
  if (attachment === undefined) return { file };
  const expected = `the volume ${name} to be locked, or open for writing with the kernel engine`;
  const refused = (got: string, hint: string): ReelError => new ReelError('volume-state', { expected, got, hint });
  if (attachment.problem !== null) throw refused(attachment.problem, 'open or lock it first: that sets it right');
  const lock = `run \`reelvault volume lock ${name}\` first`;
  if (attachment.engine !== 'kernel') {
    throw refused(
      'one that is open with the userspace engine, which serves a container under one volume key only',
      lock,
    );
  }
  const loop = attachment.devices.find((each) => each.startsWith('/dev/loop'));
  const device = container.block === null ? loop : container.path;
  if (attachment.readOnly !== false || device === undefined) throw refused('one that is open read-only', lock);
  return { file, online: { mapping: mappingName(container), device } };
};

const begin = async (
  context: VolumeContext,
  { container, header }: Begun,
  what: Rewritten,
  { dropOtherKeys, current }: Requests['reencrypt-start'],
  key: Buffer,
): Promise<void> => {
  const { luks } = context;
  await settle(context, container);
  // 2 the key that is carried over, and whether the others may go
  const slot = await luks.testKey(container.path, key);
  const others = header.keyslots.map((each) => each.slot).filter((each) => each !== slot);
  if (others.length > 0 && !dropOtherKeys) {
    throw new ReelError('volume-state', {
      expected: 'only the key that is given: those of other slots cannot be carried over',
      got: `${others.length === 1 ? 'slot' : 'slots'} ${others.join(', ')} beside it`,
      hint: 'say that they may go (--drop-other-keys), and add them again afterwards',
      details: { slots: others },
    });
  }
  // 3 mark
  await mark(luks, container.path, slot);
  reached(context, 'reencrypt-marked');
  // 4 the new volume key
  const kind = kindOf(header, slot) ?? current;
  await luks.beginReencryption(what, key, { slot, pbkdf: await pbkdfFor(context, header.type, kind) });
  reached(context, 'reencrypt-begun');
};

/** Throws `wrong-key` for any other than the key that is carried over. */
export const proveCarriedKey = async (context: VolumeContext, file: string, key: Buffer): Promise<void> => {
  await context.luks.testKey(file, key).catch((cause: unknown) => {
    // Between two volume keys cryptsetup ends with 1, and not 2, when no slot opens.
    if (!(cause instanceof ReelError) || cause.code !== 'luks-unsupported') throw cause;
    throw new ReelError('wrong-key', {
      expected: 'the key that is carried over',
      got: 'one that opens nothing',
      cause,
    });
  });
};

const goOn = async (
  context: VolumeContext,
  { container }: Located,
  what: Rewritten,
  key: Buffer,
): Promise<ReencryptReport> => {
  // 5 the key, so that a wrong one is told now
  await proveCarriedKey(context, container.path, key);
  // 6 the piece that was in work at a crash (below an open volume, its attaching did that); then a backup with both volume keys: a lost header
  // in the middle of it would otherwise lose everything
  if (what.online === undefined) await context.luks.recoverReencryption(container.path, key);
  await renewHeaderBackup(context, container);
  reached(context, 'reencrypt-backup');
  // 7 the data
  await context.luks.continueReencryption(what, key, outputOf(context, container.uuid));
  reached(context, 'reencrypt-running');
  return { state: 'running', progress: null, problem: null };
};

const finish = async (context: VolumeContext, located: Located): Promise<boolean> => {
  const { container } = located;
  // 8 what the former volume key and the dropped slots left
  await forgetRemoved(context.luks, container.path);
  await renewHeaderBackup(context, container);
  reached(context, 'reencrypt-renewed');
  const keyFileRemoved = await dropKeyFile(context, located);
  // 9 no mark, and a backup without one
  await unmark(context.luks, container.path);
  reached(context, 'reencrypt-unmarked');
  await renewHeaderBackup(context, container);
  await removeFile(outputOf(context, container.uuid));
  reached(context, 'reencrypt-finished');
  return keyFileRemoved;
};
