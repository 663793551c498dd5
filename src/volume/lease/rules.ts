import { checkRelative } from '../../datapath/path-rules.ts';
import { ReelError } from '../../errors.ts';

/** First parts of paths that nobody but the service and root may change: recordings, the service's own notes, the filesystem's. */
const closed: readonly string[] = ['dvr', '.reelvault', 'lost+found'];

/** Below it each consumer has a directory of its own. It belongs to root, so that no consumer can touch another one's. */
const consumers = 'consumers';

export const ownDirectory = (consumer: string): string => `${consumers}/${consumer}`;

/**
 * What a lease may lead to: a path inside the volume, `.` for all of it. A writable one never holds recordings, nor the directories of
 * other consumers. Throws `path-invalid`, `path-outside`, `forbidden`. The kernel resolves the path; this is for clear words.
 */
export const checkLeasePath = (path: string, readOnly: boolean): void => {
  checkRelative(path);
  if (readOnly) return;
  const [first = ''] = path.split('/');
  if (path !== '.' && path !== consumers && !closed.includes(first)) return;
  throw new ReelError('forbidden', {
    expected: 'a writable lease of a directory without recordings',
    got: path,
    hint: `lease it read-only, or leave the path out for ${consumers}/<consumer>`,
  });
};
