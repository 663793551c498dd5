/** The streams as the API shows them: the recorder's, on volumes that the volume manager knows. */
import { ReelError } from '../errors.ts';
import type { StreamsPart, StreamView } from '../http/streams.ts';
import type { Recorder } from '../recorder/recorder.ts';

/** `not-found`, with the volumes there are. */
const checkVolume = (name: string, volumes: readonly string[]): void => {
  if (volumes.includes(name)) return;
  throw new ReelError('not-found', {
    expected: volumes.length === 0 ? 'a volume; there is none yet' : `one of the volumes ${volumes.join(', ')}`,
    got: name,
    hint: 'make it with `reelvault volume create`, or name another with "volume"',
    details: { volume: name, volumes },
  });
};

export const streamsPart = (params: {
  readonly recorder: Recorder;
  /** All volumes, open or not. */
  readonly volumes: () => readonly string[];
}): StreamsPart => {
  const { recorder, volumes } = params;
  const view = (name: string): StreamView => {
    const { failure, ...status } = recorder.status(name);
    return { ...status, failure: failure?.toJSON() ?? null };
  };
  return {
    list: async () => (await recorder.list()).map((stream) => view(stream.name)),
    get: async (name) => view(name),
    put: async (name, change) => {
      checkVolume(change.volume ?? recorder.settingsFor(name).volume, volumes());
      await recorder.put(name, change);
      return view(name);
    },
    order: async (name, order) => {
      await recorder.order(name, order);
      return view(name);
    },
    schedule: async (name, schedule) => {
      await recorder.schedule(name, schedule);
      return view(name);
    },
    gaps: async (name, from, to) =>
      (await recorder.gaps(name, from * 1e6, to * 1e6)).map(({ startUs, endUs, reasons }) => ({
        from: startUs / 1e6,
        to: endUs / 1e6,
        reasons: [...reasons],
      })),
    delete: async (name) => {
      const { volume } = recorder.status(name);
      await recorder.delete(name);
      const has = recorder.hasRecordings(name, volume);
      return { name, volume, recordings: has === undefined ? 'unknown' : has ? 'kept' : 'none' };
    },
  };
};
