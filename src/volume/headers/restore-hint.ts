import { ReelError } from '../../errors.ts';
import type { VolumeContext } from '../context.ts';
import { listBackups } from './backup-files.ts';
import { nextStepOf } from './next-step.ts';

/**
 * What a container without a readable header throws, with what to do: to restore it where there is a backup of the registered UUID. Any
 * other error is left as it is.
 */
export const withRestoreHint = async (
  context: VolumeContext,
  { name, uuid }: { readonly name: string; readonly uuid?: string | undefined },
  thrown: unknown,
): Promise<unknown> => {
  if (!(thrown instanceof ReelError) || (thrown.code !== 'not-luks' && thrown.code !== 'luks-damaged')) return thrown;
  if (thrown.parts.hint !== undefined) return thrown;
  const backups = uuid === undefined ? [] : await listBackups(context, uuid);
  const hint = backups.some(({ kind, foreign }) => kind === 'backup' && foreign === null)
    ? nextStepOf('header-damaged', name)
    : 'there is no backup of its header; put the right file back, or one of its header backups';
  return new ReelError(thrown.code, { ...thrown.parts, hint, cause: thrown, details: thrown.details });
};
