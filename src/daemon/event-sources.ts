/** Brings what the parts tell onto the event bus. docs/events.md lists the types. */
import type { ErrorCode } from '../errors.ts';
import type { EventBus } from '../events/bus.ts';
import type { Recorder } from '../recorder/recorder.ts';
import type { VolumeHooks } from '../volume/manager/hooks.ts';

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

export const streamEvents = (recorder: Recorder, bus: EventBus): void => {
  recorder.on('start', (stream, publisher, volume) => {
    bus.publish({ type: 'stream.started', volume, stream, facts: { publisher } });
  });
  recorder.on('end', (stream, failure, session) => {
    const { volume } = session;
    const { publisher, segments, bytes } = session.status();
    const why = failure === undefined ? {} : { code: failure.code, reason: failure.message };
    bus.publish({ type: endOf(failure?.code), volume, stream, facts: { publisher, segments, bytes, ...why } });
  });
};
