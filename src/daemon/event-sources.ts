/** Brings what the parts tell onto the event bus. docs/events.md lists the types. */
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

/** `stream.ended` is an end that somebody wanted: the publisher, a drain, a stop of the service. */
export const streamEvents = (recorder: Recorder, bus: EventBus): void => {
  recorder.on('start', (stream, publisher, volume) => {
    bus.publish({ type: 'stream.started', volume, stream, facts: { publisher } });
  });
  recorder.on('end', (stream, failure, session) => {
    const { volume } = session;
    const { publisher, segments, bytes } = session.status();
    const wanted = failure === undefined || failure.code === 'recording-stopped';
    const why = failure === undefined ? {} : { code: failure.code, reason: failure.message };
    const type = wanted ? 'stream.ended' : 'stream.failed';
    bus.publish({ type, volume, stream, facts: { publisher, segments, bytes, ...why } });
  });
};
