/** Evidence that waits for its signature: told once for a reason, and no longer when it is signed. */
import type { Logger } from 'pino';
import type { VolumeArchive } from '../archive/archive.ts';
import type { Unsigned } from '../archive/evidence/signer.ts';
import type { EventBus } from '../events/bus.ts';
import type { UnsignedMetrics } from '../http/metrics.ts';
import type { Recorder } from '../recorder/recorder.ts';

export interface UnsignedParams {
  readonly recorder: () => Pick<Recorder, 'attached' | 'volumeArchive'>;
  readonly events: EventBus;
  readonly log: Logger;
}

export class UnsignedEvidence {
  readonly #params: UnsignedParams;
  /** The code that was told, by stream. With the archive of a volume goes what is known of it. */
  readonly #waiting = new WeakMap<VolumeArchive, Map<string, string>>();

  constructor(params: UnsignedParams) {
    this.#params = params;
  }

  failed({ archive, stream, hour, error }: Unsigned): void {
    const { events, log } = this.#params;
    const volume = this.#nameOf(archive);
    log.error({ volume, stream, hour, err: error }, 'a reel could not be signed');
    const waiting = this.#waiting.get(archive) ?? new Map<string, string>();
    this.#waiting.set(archive, waiting);
    if (waiting.get(stream) === error.code) return;
    waiting.set(stream, error.code);
    const from = hour === undefined ? null : hour * 3600;
    const { code, message: reason } = error;
    events.publish({ type: 'archive.unsigned', volume, stream, facts: { from, code, reason } });
  }

  signed(archive: VolumeArchive, stream: string): void {
    if (this.#waiting.get(archive)?.delete(stream) !== true) return;
    this.#params.events.publish({ type: 'archive.signed', volume: this.#nameOf(archive), stream });
  }

  /** Of the volumes that are open. */
  get list(): UnsignedMetrics[] {
    const recorder = this.#params.recorder();
    return recorder.attached.flatMap((volume) => {
      const archive = recorder.volumeArchive(volume);
      const waiting = archive === undefined ? undefined : this.#waiting.get(archive);
      return [...(waiting ?? [])].map(([stream, code]) => ({ volume, stream, code }));
    });
  }

  #nameOf(archive: VolumeArchive): string | null {
    const recorder = this.#params.recorder();
    return recorder.attached.find((name) => recorder.volumeArchive(name) === archive) ?? null;
  }
}
