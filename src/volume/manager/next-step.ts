import { sizeText } from '../../config/size.ts';
import { type ErrorCode, ReelError } from '../../errors.ts';
import type { VolumeReport } from '../../helper/protocol/volume.ts';
import type { Failure } from '../states.ts';
import type { VolumeRecord } from './registry.ts';

/** What the admin does about a volume that failed, where the error itself does not say it. */
const steps: Partial<Record<ErrorCode, string>> = {
  'block-plane-died': 'open the volume again: that cleans up, checks the filesystem and mounts it',
  'io-error': 'look at the disk below the container, then lock and open the volume',
  'helper-unavailable':
    'start the service as root, or see why its helper ended; the volume is looked at again by itself',
  'not-luks': 'put the right container back, or restore its header with `reelvault volume header restore`',
  'luks-damaged': 'restore the header with `reelvault volume header restore`',
  'no-keyslot': 'restore the header with `reelvault volume header restore`',
  'container-replaced': 'the file was replaced; put the right one back where it was',
  'container-short': 'put the whole file back from a backup of it; `reelvault volume header check` has the sizes',
  'not-found': 'put the container back where it was',
  'storage-hung': 'look at the disk below the container, then open the volume again',
};

export const failureOf = (error: ReelError): Failure => ({
  error: error.toJSON(),
  nextStep: steps[error.code] ?? error.parts.hint ?? 'lock the volume, then open it again',
});

/** Errors after which a volume is not simply locked as before: something is wrong with it that trying again does not mend. */
const lasting: readonly ErrorCode[] = [
  ...([
    'not-luks',
    'luks-damaged',
    'luks-unsupported',
    'no-keyslot',
    'volume-identity',
    'container-replaced',
    'container-short',
    'volume-unfinished',
  ] as const),
  ...(['filesystem-damaged', 'io-error', 'block-plane-died', 'path-outside'] as const),
];

export const isLasting = (error: ReelError): boolean => lasting.includes(error.code) || 'undoFailures' in error.details;

/** What of a report does not go with an open or locked volume of this record; undefined when all does. */
export const problemOf = (record: VolumeRecord, report: VolumeReport): ReelError | undefined => {
  if (report.problem !== null) return new ReelError(report.problem.code, report.problem);
  if (record.uuid !== null && report.uuid !== null && report.uuid !== record.uuid) {
    return new ReelError('container-replaced', { expected: `the container ${record.uuid}`, got: report.uuid });
  }
  if (report.size !== null && report.state !== 'open' && record.uuid !== null && report.size < record.size) {
    return new ReelError('container-short', {
      expected: `${sizeText(record.size)} in ${record.container}`,
      got: sizeText(report.size),
    });
  }
  if (report.readOnly !== null) {
    return new ReelError('io-error', { expected: `${record.name} to take writes`, got: report.readOnly });
  }
  if (report.state === 'absent' && record.uuid !== null) {
    return new ReelError('not-found', { expected: `the container ${record.container}`, got: 'no such file' });
  }
  return undefined;
};
