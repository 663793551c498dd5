/** What the recorder takes, tells and answers. */
import type { Logger } from 'pino';
import type { EvidenceSigner } from '../archive/evidence/signer.ts';
import type { Segment } from '../archive/segment.ts';
import type { ReelError } from '../errors.ts';
import type { StreamDefaults } from './declared-streams.ts';
import type { Publication } from './publication.ts';
import type { RecordingOrder, Wanted } from './recording-rules.ts';
import type { Schedule } from './schedule.ts';
import type { SessionStatus } from './session.ts';
import type { StreamSettings } from './stream-registry.ts';

export interface RecorderParams {
  /** The file the streams are kept in. */
  readonly registry: string;
  /** Settings of a stream that a publisher names for the first time. */
  readonly defaults: StreamDefaults;
  readonly writer: {
    readonly backend: 'auto' | 'io_uring' | 'pwrite';
    readonly stagingBytes: number;
    readonly commitIntervalMs: number;
  };
  /** Signs the reels of streams with evidence; without, none is signed. */
  readonly signer?: EvidenceSigner;
  /** Ceiling of the memory for what streams keep that are not recorded, of all together; bytes. */
  readonly standbyBytes?: number;
  /** How long a publisher may be held back by the disk before it is let go on and what it sends is dropped. */
  readonly holdBackMs?: number;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds from any start, by a clock that is never set. */
  readonly elapsed?: () => number;
}

export interface RecorderEvents {
  /** A publisher was let in. */
  start: [stream: string, publisher: string, volume: string];
  /** While it stays: what it sends is recorded from now on, or is not any more and all of it is durable. */
  turned: [stream: string, recording: boolean, volume: string];
  /** The storage is too slow: what comes is dropped from now on; or it has caught up, and so many bytes were. */
  shedding: [publication: Publication, dropping: boolean, bytes: number];
  ordered: [stream: string, order: RecordingOrder | null];
  scheduled: [stream: string, schedule: Schedule | null];
  /** `lagsMs`: of each segment, from when its last byte was taken until it was durable. */
  durable: [stream: string, segments: readonly Segment[], volume: string, lagsMs: readonly number[]];
  end: [stream: string, failure: ReelError | undefined, publication: Publication];
}

export interface StreamView extends StreamSettings {
  readonly preRecordSeconds: number;
  /** Somebody sends it, recorded or not. */
  readonly publishing: boolean;
  readonly recording: boolean;
  readonly wanted: Wanted;
  /** The order that holds. */
  readonly order: RecordingOrder | null;
  readonly schedule: Schedule | null;
}

export type RecordingLag = Pick<SessionStatus, 'durableLagMs' | 'heldBack' | 'queued'>;

export interface StreamStatus extends StreamView {
  /** What a recording would begin with, and since when that came in (Unix milliseconds). */
  readonly kept: { readonly bytes: number; readonly since: number | null };
  /** The session that runs, else the last one since the start of the service. */
  readonly session: SessionStatus | null;
  /** Why the last attempt to publish was refused or ended, where it failed. */
  readonly failure: ReelError | null;
}
