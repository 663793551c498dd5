import { readFile } from 'node:fs/promises';
import { replacePrivateFile } from '../../config/private-file.ts';
import { ReelError } from '../../errors.ts';
import { exists } from '../directories.ts';
import type { VolumePaths } from '../layout.ts';
import type { DestroyReport } from './report.ts';

/** What is known before the header is gone, and what has been done: enough to finish, and to report all of it. */
export interface Journal {
  readonly layout: 1;
  readonly report: DestroyReport;
  /** Bytes from the start of the container that header and key material take. */
  readonly headerEnd: number;
}

/** Undefined where no destruction has begun. */
export const readJournal = async ({ destroying }: VolumePaths): Promise<Journal | undefined> => {
  if (!(await exists(destroying))) return undefined;
  return JSON.parse(await readFile(destroying, 'utf8')) as Journal;
};

export const writeJournal = ({ destroying }: VolumePaths, journal: Journal): Promise<void> =>
  replacePrivateFile(destroying, `${JSON.stringify(journal)}\n`);

/** What everything but `destroy` says of a volume whose destruction was interrupted. */
export const unfinishedDestroy = (name: string): ReelError =>
  new ReelError('volume-unfinished', {
    expected: `the volume ${name} whole, or destroyed`,
    got: 'one whose destruction was interrupted',
    hint: `finish it: \`reelvault volume destroy ${name} --yes ${name}\``,
    details: { operation: 'destroy' },
  });
