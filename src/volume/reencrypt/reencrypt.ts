/** A new volume key for a locked LUKS2 volume. The procedure "A new volume key" of docs/keys.md. */
import { ReelError } from '../../errors.ts';
import type { ReencryptFinished, ReencryptReport } from '../../helper/protocol/reencrypt.ts';
import type { Requests } from '../../helper/protocol.ts';
import { isReencrypting } from '../../luks/reencryption.ts';
import { reached, type VolumeContext } from '../context.ts';
import { removeFile } from '../directories.ts';
import { renewHeaderBackup } from '../headers/backup.ts';
import { type Begun, type Located, locate, look, settle, withCurrent } from '../keys/begin.ts';
import { forgetRemoved, kindOf } from '../keys/kinds.ts';
import { dropKeyFile } from '../keys/remove.ts';
import { pbkdfFor } from '../keys/slot.ts';
import { attachmentsOf } from '../look.ts';
import { isRewritten, mark, unmark } from './mark.ts';
import { isRunning, outputOf, readProgress } from './progress.ts';

type Asked = Parameters<typeof locate>[1];

/** What there is to see, without a key and without a change. */
export const reencryptionOf = async (context: VolumeContext, request: Asked): Promise<ReencryptReport> =>
  report(context, await locate(context, request));

const report = async (context: VolumeContext, { container }: Located): Promise<ReencryptReport> => {
  // In this order: what has ended has written its last, and a header that is being written is not read.
  if (await isRunning(container)) {
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
  // 1 a locked LUKS2 container on which nobody is at work
  const located = await locate(context, request);
  const found = await report(context, located);
  if (found.state === 'running') return found;
  if (found.state === 'rewritten') await finish(context, located);
  const begun = await look(context, request);
  await refuseUnfit(context, begun, request.name);
  return withCurrent(begun, request.current, secret, async (key) => {
    if (found.state !== 'unfinished') await begin(context, begun, request, key);
    return goOn(context, begun, key);
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
  await refuseUnfit(context, begun, request.name);
  return withCurrent(begun, request.current, secret, (key) => goOn(context, begun, key));
};

/** Steps 8 and 9. Idempotent; nothing where nothing is to be done. */
export const finishReencryption = async (context: VolumeContext, request: Asked): Promise<ReencryptFinished> => {
  const located = await locate(context, request);
  if ((await report(context, located)).state !== 'rewritten') return { finished: false, keyFileRemoved: false };
  return { finished: true, keyFileRemoved: await finish(context, located) };
};

const refuseUnfit = async (context: VolumeContext, { container, header }: Begun, name: string): Promise<void> => {
  if (header.type === 'luks1') {
    throw new ReelError('luks-unsupported', {
      expected: 'LUKS2, whose reencryption survives a crash',
      got: 'LUKS1',
      hint: 'make a new volume and copy the recordings',
    });
  }
  if ((await attachmentsOf(context, container)).length === 0) return;
  throw new ReelError('volume-state', {
    expected: `the volume ${name} to be locked while it gets a new volume key`,
    got: 'one that is attached',
    hint: `run \`reelvault volume lock ${name}\` first`,
  });
};

const begin = async (
  context: VolumeContext,
  { container, header }: Begun,
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
      got: `slots ${others.join(', ')} beside it`,
      hint: 'say that they may go (--drop-other-keys), and add them again afterwards',
      details: { slots: others },
    });
  }
  // 3 mark
  await mark(luks, container.path, slot);
  reached(context, 'reencrypt-marked');
  // 4 the new volume key
  const kind = kindOf(header, slot) ?? current;
  await luks.beginReencryption(container.path, key, { slot, pbkdf: await pbkdfFor(context, header.type, kind) });
  reached(context, 'reencrypt-begun');
};

const goOn = async (context: VolumeContext, { container }: Located, key: Buffer): Promise<ReencryptReport> => {
  // 5 the key, so that a wrong one is told now
  await context.luks.testKey(container.path, key).catch((cause: unknown) => {
    // Between two volume keys cryptsetup ends with 1, and not 2, when no slot opens.
    if (!(cause instanceof ReelError) || cause.code !== 'luks-unsupported') throw cause;
    throw new ReelError('wrong-key', {
      expected: 'the key that is carried over',
      got: 'one that opens nothing',
      cause,
    });
  });
  // 6 the piece that was in work at a crash; then a backup with both volume keys: a lost header in the middle of it would otherwise lose everything
  await context.luks.recoverReencryption(container.path, key);
  await renewHeaderBackup(context, container);
  reached(context, 'reencrypt-backup');
  // 7 the data
  await context.luks.continueReencryption(container.path, key, outputOf(context, container.uuid));
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
