/** Brings what the parts tell onto the event bus. docs/events.md lists the types. */
import type { Logger } from 'pino';
import type { ErrorCode } from '../errors.ts';
import type { EventBus } from '../events/bus.ts';
import type { Recorder } from '../recorder/recorder.ts';
import type { VolumeHooks } from '../volume/manager/hooks.ts';
import type { ClockWatchParams } from './clock-watch.ts';

export const volumeEvents = (bus: EventBus): VolumeHooks => ({
  onState: ({ name, state, failure }) => {
    const why =
      failure === null ? {} : { code: failure.error.code, reason: failure.error.message, nextStep: failure.nextStep };
    bus.publish({ type: 'volume.state', volume: name, facts: { state, ...why } });
  },
  onEvent: ({ type, volume, ...facts }) => {
    bus.publish({ type, volume, facts });
  },
});

/** `ended` is what somebody wanted: the publisher, a drain, a stop of the service. `paused` may go on by itself. */
const endOf = (code: ErrorCode | undefined): string => {
  if (code === undefined || code === 'recording-stopped') return 'stream.ended';
  return code === 'volume-paused' ? 'stream.paused' : 'stream.failed';
};

/** A clock that is set, and a service that was stopped, are told and explain what is missing in the archive. */
export const clockEvents = (params: {
  readonly recorder: () => Recorder;
  readonly events: () => EventBus;
  readonly log: Logger;
}): Pick<ClockWatchParams, 'onJump' | 'onStopped'> => {
  const { recorder, events, log } = params;
  return {
    onJump: (from, to) => {
      if (to > from) recorder().noteTrouble('clock', from, to);
      log.warn({ from, to }, 'the clock was set');
      events().publish({ type: 'service.clock', facts: { from: from / 1000, to: to / 1000 } });
    },
    onStopped: (from, to) => {
      recorder().noteTrouble('stopped', from, to);
      log.warn({ from, to }, 'nothing ran for a while: the service, or the machine, was stopped');
      events().publish({ type: 'service.stalled', facts: { from: from / 1000, to: to / 1000 } });
    },
  };
};

export const streamEvents = (recorder: Recorder, bus: EventBus): void => {
  recorder.on('start', (stream, publisher, volume) => {
    bus.publish({
      type: 'stream.started',
      volume,
      stream,
      facts: { publisher, recording: recorder.isRecording(stream) },
    });
  });
  recorder.on('ordered', (stream, order) => {
    const { mode, reason, until } = order ?? { mode: 'schedule', reason: '', until: null };
    bus.publish({ type: 'stream.recording.ordered', stream, facts: { mode, reason, until } });
  });
  recorder.on('scheduled', (stream, schedule) => {
    bus.publish({ type: 'stream.recording.scheduled', stream, facts: { schedule } });
  });
  recorder.on('turned', (stream, recording, volume) => {
    const { by, reason } = recorder.wanted(stream);
    const type = recording ? 'stream.recording.began' : 'stream.recording.ended';
    bus.publish({ type, volume, stream, facts: { by, reason } });
  });
  recorder.on('shedding', ({ stream, volume }, dropping, bytes) => {
    const type = dropping ? 'stream.dropping' : 'stream.dropped';
    bus.publish({ type, volume, stream, facts: dropping ? {} : { bytes } });
  });
  recorder.on('end', (stream, failure, publication) => {
    const { volume } = publication;
    const { publisher, segments, bytes } = publication.status();
    const why = failure === undefined ? {} : { code: failure.code, reason: failure.message };
    bus.publish({ type: endOf(failure?.code), volume, stream, facts: { publisher, segments, bytes, ...why } });
  });
};
