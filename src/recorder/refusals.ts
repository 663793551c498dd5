/** Why a publisher is refused, or let go. */
import { ReelError } from '../errors.ts';

export const streamBusy = (stream: string, publisher: string): ReelError =>
  new ReelError('stream-busy', {
    expected: `no publisher on ${stream}`,
    got: `one from ${publisher}`,
    hint: 'stop it, or wait until it has stalled for long enough to be let go',
    details: { stream, publisher },
  });

export const recordingStopped = (stream: string): ReelError =>
  new ReelError('recording-stopped', {
    expected: `the volume of ${stream} to stay open`,
    got: 'it is being locked, or the service is stopping',
    hint: 'all segments that were acknowledged are safe',
    details: { stream },
  });
