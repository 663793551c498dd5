import { stat } from 'node:fs/promises';
import path from 'node:path';
import { type Finding, findingsOf } from '../../luks/header/findings.ts';
import { layoutOf } from '../../luks/header/header-areas.ts';
import { readHeader } from '../../luks/header/read-header.ts';
import type { VolumeContext } from '../context.ts';
import { exists } from '../directories.ts';
import { type BackupFile, listBackups } from './backup-files.ts';
import { type HeaderState, stateOf } from './compare.ts';
import type { Which } from './find-container.ts';
import { nextStepOf } from './next-step.ts';

export interface HeaderProblem {
  readonly kind: Finding['kind'] | 'restore-unfinished' | 'no-backup' | 'backup-foreign' | 'backups-on-one-disk';
  /** `blocks`: the volume does not open. `warns`: it does, and something is to be done all the same. */
  readonly severity: 'blocks' | 'warns';
  readonly text: string;
  readonly nextStep: string;
}

export interface HeaderCheck {
  readonly container: string;
  readonly state: HeaderState;
  /** Bytes: of the file, of what the header needs at least, of what is registered. */
  readonly size: number;
  readonly leastSize: number | null;
  readonly registeredSize: number | null;
  readonly backups: readonly BackupFile[];
  readonly ok: boolean;
  readonly problems: readonly HeaderProblem[];
}

const asProblem = ({ kind, refusal, text }: Finding, name: string): HeaderProblem => ({
  ...{ kind, text, severity: refusal === null ? 'warns' : 'blocks', nextStep: nextStepOf(kind, name) },
});

/** Whether the copies of the header share a disk with the container: then one accident takes all of them. */
const aboutBackups = async (context: VolumeContext, container: string, backups: readonly BackupFile[]) => {
  const problems: HeaderProblem[] = [];
  if (!backups.some(({ kind, foreign }) => kind === 'backup' && foreign === null)) {
    const nextStep = 'make one: `reelvault volume header backup`';
    problems.push({ kind: 'no-backup', severity: 'warns', text: 'no backup of this header', nextStep });
  }
  for (const { kind, name, foreign, files } of backups) {
    if (kind !== 'backup' || foreign === null) continue;
    const text = `the backup ${name} is of another container, ${foreign}`;
    const nextStep = `remove it, or put the right file back: ${files.join(', ')}`;
    problems.push({ kind: 'backup-foreign', severity: 'warns', text, nextStep });
  }
  const second = context.layout.headerCopies;
  const [home, away] = await Promise.all([stat(path.dirname(container)), second === null ? undefined : stat(second)]);
  if (home.dev === away?.dev || away === undefined) {
    problems.push({
      ...{ kind: 'backups-on-one-disk', severity: 'warns' },
      text:
        away === undefined
          ? 'one place only for header backups'
          : 'both places of header backups on the filesystem of the container',
      nextStep: 'set REELVAULT_HEADER_COPIES to a directory of the datapath on another disk, and copy backups away',
    });
  }
  return problems;
};

/** Looks at everything that can be known of a header without a key. Changes nothing. Throws `not-found`, `path-outside`. */
export const checkHeader = async (
  context: VolumeContext,
  which: Which & { readonly size?: number | undefined },
): Promise<HeaderCheck> => {
  const { name, uuid, size: registered } = which;
  const paths = context.layout.paths(name, which.container);
  await context.layout.proveFile(paths.container);
  const header = await readHeader(paths.container);
  const state = stateOf(header);
  const known = state.uuid ?? uuid;
  const backups = known === undefined ? [] : await listBackups(context, known);
  const problems = findingsOf(header, { uuid, size: registered }).map((finding) => asProblem(finding, name));
  if (await exists(paths.restoring)) {
    const nextStep = `repeat it: \`reelvault volume header restore ${name}\``;
    problems.unshift({ kind: 'restore-unfinished', severity: 'blocks', text: 'an interrupted restore', nextStep });
  }
  problems.push(...(await aboutBackups(context, paths.container, backups)));
  return {
    container: paths.container,
    state,
    size: header.size,
    leastSize: header.type === 'luks1' || header.type === 'luks2' ? layoutOf(header).leastBytes : null,
    registeredSize: registered ?? null,
    backups,
    ok: problems.length === 0,
    problems,
  };
};
