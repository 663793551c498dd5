/** The service's recorder on a mounted volume, with what it needs of the service: recovery at the start, the writer, the archive. */
import { closeSync, constants, openSync } from 'node:fs';
import { pino } from 'pino';
import { Jail } from '../../src/datapath/jail.ts';
import { Recorder } from '../../src/recorder/recorder.ts';

export interface Attached extends AsyncDisposable {
  readonly recorder: Recorder;
}

export const attachRecorder = async (params: {
  readonly point: string;
  readonly uuid: string;
  readonly registry: string;
  readonly commitIntervalMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
}): Promise<Attached> => {
  const { point, uuid, registry, commitIntervalMs, now } = params;
  const recorder = new Recorder({
    registry,
    defaults: { volume: 'main', segmentMs: 1000, evidence: false },
    writer: { backend: 'auto', stagingBytes: 16 * 2 ** 20, commitIntervalMs },
    log: pino({ level: 'silent' }),
    now,
  });
  await recorder.start();
  const fd = openSync(point, constants.O_RDONLY | constants.O_DIRECTORY);
  const jail = new Jail({ fd, label: 'volume main' });
  const detach = async (): Promise<void> => {
    await recorder.detachVolume('main', { drain: true });
    await recorder.close();
    await jail.close();
  };
  try {
    await recorder.attachVolume({ name: 'main', uuid, jail });
  } catch (error) {
    await recorder.close();
    closeSync(fd);
    throw error;
  }
  return { recorder, [Symbol.asyncDispose]: detach };
};
