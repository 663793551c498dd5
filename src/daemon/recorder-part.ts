/** The recorder as the service runs it: by its settings, with the keys that sign, and at work on the volumes that are open. */
import path from 'node:path';
import type { Logger } from 'pino';
import type { EvidenceKeys } from '../archive/evidence/key-store.ts';
import { EvidenceSigner } from '../archive/evidence/signer.ts';
import type { Settings } from '../config/settings.ts';
import type { ConfigStore } from '../config/store.ts';
import { Recorder } from '../recorder/recorder.ts';
import type { VolumeHooks } from '../volume/manager/hooks.ts';
import type { UnsignedEvidence } from './unsigned-part.ts';

export interface RecorderPartParams {
  readonly settings: Settings;
  /** What a new stream gets may change meanwhile. */
  readonly config: ConfigStore;
  readonly keys: EvidenceKeys;
  /** Told what could not be signed. */
  readonly unsigned: UnsignedEvidence;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export const makeRecorder = ({ settings, config, keys, unsigned, log, now }: RecorderPartParams): Recorder =>
  new Recorder({
    signer: new EvidenceSigner({
      key: () => keys.signing,
      publicKeys: () => keys.list().map(({ publicKey }) => publicKey),
      now,
      onFailure: (failure) => unsigned.failed(failure),
      onSigned: (archive, stream) => unsigned.signed(archive, stream),
    }),
    registry: path.join(settings.state, 'streams.json'),
    defaults: {
      get volume() {
        return config.current.tuning.default_volume;
      },
      get segmentMs() {
        return config.current.tuning.segment_ms;
      },
      evidence: false,
    },
    writer: {
      backend: settings.writerBackend,
      stagingBytes: settings.stagingMiB * 1024 * 1024,
      commitIntervalMs: settings.commitIntervalMs,
    },
    standbyBytes: settings.preRecordMiB * 1024 * 1024,
    log,
    now,
  });

/** Takes volumes into use as they open, and lets go of them before they are locked. */
export const recorderHooks = (recorder: Recorder): VolumeHooks => ({
  onOpen: async (volume) => {
    await recorder.attachVolume(volume);
  },
  beforeLock: (name, options) => recorder.detachVolume(name, options),
  onLost: (name, error) => recorder.loseVolume(name, error),
  recordings: (name) => recorder.recordings(name),
  onPause: (name, reason) => recorder.pauseVolume(name, reason),
  // Of one that was lost and then locked, publishers are told that it is locked and not why it was lost.
  onState: ({ name, state }) => {
    if (state === 'locked' || state === 'absent') void recorder.pauseVolume(name, undefined);
  },
});
