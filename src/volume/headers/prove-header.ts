import { ReelError } from '../../errors.ts';
import { findingsOf, type Registered } from '../../luks/header/findings.ts';
import { readHeader } from '../../luks/header/read-header.ts';
import { exists } from '../directories.ts';
import type { ContainerFile } from '../engine/engine.ts';
import { findRewriters } from '../engine/rewriter.ts';
import type { VolumePaths } from '../layout.ts';
import { nextStepOf } from './next-step.ts';

/** What is wrong with a header, and what to do; the volume may open all the same. */
export interface HeaderNote {
  readonly problem: string;
  readonly nextStep: string;
}

const unfinishedRestore = (name: string): HeaderNote => ({
  problem: 'a restore of the header was interrupted',
  nextStep: `repeat it: \`reelvault volume header restore ${name}\``,
});

const beingRewritten = (name: string): HeaderNote => ({
  problem: 'it is being rewritten under a new volume key',
  nextStep: `wait: \`reelvault volume reencrypt status ${name}\` says how far it is`,
});

/** The gravest thing wrong with the header, in words; null for nothing. One that is being written is not read. */
export const noteOf = async (paths: VolumePaths, container: ContainerFile): Promise<HeaderNote | null> => {
  if (findRewriters(container).length > 0) return beingRewritten(paths.name);
  if (await exists(paths.restoring)) return unfinishedRestore(paths.name);
  const [finding] = findingsOf(await readHeader(paths.container));
  return finding === undefined ? null : { problem: finding.text, nextStep: nextStepOf(finding.kind, paths.name) };
};

/** Throws, with what to do, what forbids to open a container: before any program that would change it or take a key for it. */
export const proveHeader = async (paths: VolumePaths, registered: Registered): Promise<void> => {
  if (await exists(paths.restoring)) {
    const { problem, nextStep } = unfinishedRestore(paths.name);
    throw new ReelError('volume-unfinished', { expected: 'a whole header', got: problem, hint: nextStep });
  }
  for (const { kind, refusal, text } of findingsOf(await readHeader(paths.container), registered)) {
    if (refusal === null) continue;
    throw new ReelError(refusal, {
      expected: `a whole LUKS container at ${paths.container}`,
      got: text,
      hint: nextStepOf(kind, paths.name),
      details: { finding: kind },
    });
  }
};
