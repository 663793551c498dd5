import { toReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';
import { damaged, journalPending, type MakeFilesystem } from './kind.ts';

const makeTimeoutMs = 10 * 60_000;
const checkTimeoutMs = 60 * 60_000;
const anyCode = Array.from({ length: 256 }, (_, code) => code);

/**
 * - `-K`: as for ext4, nothing is discarded. XFS makes its inodes as they are needed, so only the log is written here.
 * - `-f`: without it mkfs.xfs looks for what might be there before, and refuses where the noise in a new container resembles something, or cannot be read.
 */
export const makeXfs = async ({ device, label }: MakeFilesystem): Promise<void> => {
  const named = label === undefined ? [] : ['-L', label];
  await run('mkfs.xfs', ['-q', '-f', '-K', '-s', 'size=4096', ...named, device], { timeoutMs: makeTimeoutMs });
};

/**
 * XFS replays its log at mount, and a mount that succeeds is its check: there is no quick one beside it. Only after one that fails is
 * the filesystem looked at as a whole, to tell damage (`filesystem-damaged`) from a log that a read-only mount may not replay.
 */
export const explainXfs = async (device: string, readOnly: boolean, thrown: unknown): Promise<unknown> => {
  const { code } = toReelError(thrown);
  // a damaged XFS makes its mount fail with EUCLEAN
  if (code !== 'command-failed' && code !== 'io-error') return thrown;
  const { exitCode, stdout, stderr } = await run('xfs_repair', ['-n', device], {
    timeoutMs: checkTimeoutMs,
    okCodes: anyCode,
  });
  const output = `${stdout.toString()}\n${stderr}`;
  if (readOnly && /valuable metadata changes in a log/.test(output)) return journalPending(thrown);
  return exitCode === 1 ? damaged('xfs_repair', exitCode, output) : thrown;
};
