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

/** An open volume that recorder and playback could not take into use. Mostly its root directory is closed to the service's account. */
export const unusableVolume = (volume: string, cause: ReelError): ReelError => {
  const denied = cause.details.errno === 'EACCES';
  const uid = process.getuid?.() ?? 'its account';
  const hint = denied
    ? `let the service (uid ${uid}) pass the directories on the way, with chmod o+x or setfacl -m u:${uid}:--x on the volume's root; then lock and open it`
    : (cause.parts.hint ?? 'see the log of the service; then lock and open the volume');
  return new ReelError('volume-state', {
    expected: `recorder and playback to take the open volume ${volume} into use`,
    got: `${denied ? 'permission denied' : cause.code}: ${cause.parts.expected}: ${cause.parts.got}`,
    hint,
    cause,
    details: { volume, code: cause.code },
  });
};
