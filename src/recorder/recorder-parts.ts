/** The parts of a recorder, put together: which of them knows which, and who is told what. */
import type { EventEmitter } from 'node:events';
import { StandbyMemory } from '../native.ts';
import { AttachedVolumes } from './attached-volumes.ts';
import { DeclaredStreams } from './declared-streams.ts';
import { GapCauses } from './gap-causes.ts';
import { Measures } from './measures.ts';
import { Publishers } from './publishers.ts';
import { RecordedStreams } from './recorded-streams.ts';
import { RecordingControl } from './recording-control.ts';
import { Recordings } from './recordings.ts';
import { SlowStorage } from './slow-storage.ts';
import { StreamHistory } from './stream-history.ts';
import { StreamViews } from './stream-views.ts';
import { TroubleLog } from './trouble-log.ts';
import type { RecorderEvents, RecorderParams } from './types.ts';
import { VolumesInUse } from './volumes-in-use.ts';

export interface RecorderParts {
  readonly streams: DeclaredStreams;
  readonly recordings: Recordings;
  /** To ask; `volumes` changes it. */
  readonly attached: AttachedVolumes;
  readonly volumes: VolumesInUse;
  readonly publishers: Publishers;
  readonly control: RecordingControl;
  readonly views: StreamViews;
  readonly recorded: RecordedStreams;
  readonly measures: Measures;
  readonly history: StreamHistory;
  readonly troubles: TroubleLog;
  readonly gaps: GapCauses;
  readonly slow: SlowStorage;
}

/** Nothing runs yet. `events` is told all that `RecorderEvents` names, but for orders and schedules. */
export const recorderParts = (params: RecorderParams, events: EventEmitter<RecorderEvents>): RecorderParts => {
  const { log, now, signer, elapsed = () => performance.now(), holdBackMs = 10_000, standbyBytes = 0 } = params;
  const history = new StreamHistory(elapsed);
  const troubles = new TroubleLog(now);
  const standby = new StandbyMemory(standbyBytes);
  const recordings: Recordings = new Recordings({
    ...{ writer: params.writer, signer, log, now, elapsed },
    archive: (volume) => attached.archive(volume),
    onDurable: ({ stream, volume }, segments, lagsMs) => events.emit('durable', stream, segments, volume, lagsMs),
    onEnd: (session) => publishers.recordingEnded(session),
  });
  const attached = new AttachedVolumes({ writer: recordings.writer, log });
  const volumes = new VolumesInUse({
    ...{ attached, signer, troubles },
    recordedInto: (volume) => publishers.recordedInto(volume),
  });
  const streams = new DeclaredStreams({
    path: params.registry,
    defaults: params.defaults,
    volumesInUse: () => attached.writable,
  });
  const control = new RecordingControl({ streams, now, follow: (stream) => publishers.follow(stream) });
  const gaps = new GapCauses({ control, troubles, now });
  const publishers: Publishers = new Publishers({
    ...{ streams, control, volumes, recordings, gaps, troubles, history, memory: standby, events, log, now, elapsed },
  });
  const views = new StreamViews({ streams, control, publishers, history });
  const slow = new SlowStorage({
    ...{ elapsed, now, mostMs: holdBackMs, troubles, log },
    onShedding: (publication, dropping, bytes) => events.emit('shedding', publication, dropping, bytes),
  });
  const recorded = new RecordedStreams({ streams, attached, publishers, history });
  const measures = new Measures({ streams, control, publishers, recordings, slow, standby });
  return {
    ...{ streams, recordings, attached, volumes, publishers, control },
    ...{ views, recorded, measures, history, troubles, gaps, slow },
  };
};
