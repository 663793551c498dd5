/**
 * The volumes in use: taken, paused, let go of, lost. It says which of them take recordings, and ends those of one that does not any more.
 * What is attached lies in `AttachedVolumes`, which others only ask.
 */
import type { EvidenceSigner } from '../archive/evidence/signer.ts';
import type { RecoveredReel } from '../archive/recovery.ts';
import { ReelError } from '../errors.ts';
import type { AttachedVolume, AttachedVolumes, Recordable } from './attached-volumes.ts';
import type { Publication } from './publication.ts';
import { recordingStopped } from './refusals.ts';
import { storageReason, type TroubleLog } from './trouble-log.ts';

export interface VolumesInUseParams {
  readonly attached: AttachedVolumes;
  /** Signs what was recorded before a volume goes. */
  readonly signer: EvidenceSigner | undefined;
  /** Told what keeps a volume from being recorded into, and until when. */
  readonly troubles: TroubleLog;
  /** Publishers whose stream is recorded into the volume, or is about to be. */
  readonly recordedInto: (volume: string) => readonly Publication[];
}

export class VolumesInUse {
  readonly #params: VolumesInUseParams;
  /** Volumes that take no recordings now, and why. Also of one that is not attached: it may come back. */
  readonly #held = new Map<string, ReelError>();

  constructor(params: VolumesInUseParams) {
    this.#params = params;
  }

  /** As `Recorder.attachVolume`. After a failure the volume is not in use, and held as before. */
  async attach(volume: AttachedVolume): Promise<RecoveredReel[]> {
    const { attached, signer, troubles } = this.#params;
    const recovered = await attached.attach(volume);
    if (volume.readOnly !== true) signer?.attached(attached.get(volume.name).archive);
    this.#held.delete(volume.name);
    troubles.ended(`volume:${volume.name}`);
    return recovered;
  }

  /** As `Recorder.detachVolume`. `volume-busy` changes nothing. */
  async detach(name: string, { drain }: { readonly drain: boolean }): Promise<void> {
    const { attached, troubles, recordedInto } = this.#params;
    const streams = recordedInto(name).map(({ stream }) => stream);
    if (!drain && streams.length > 0)
      throw new ReelError('volume-busy', {
        expected: `no recording into the volume ${name}`,
        got: `${streams.length}: ${streams.slice(0, 5).join(', ')}`,
        hint: 'lock it with drain (`--drain`), which ends them with everything durable',
        details: { volume: name, streams },
      });
    if (attached.archive(name) !== undefined) troubles.began(`volume:${name}`, 'locked');
    await this.#letGo(name, recordingStopped);
    this.#held.delete(name);
  }

  /** As `Recorder.pauseVolume`. */
  async pause(name: string, reason: ReelError | undefined): Promise<void> {
    const { attached, troubles } = this.#params;
    if (reason === undefined) {
      this.#held.delete(name);
      if (attached.archive(name) !== undefined) troubles.ended(`volume:${name}`);
      else troubles.began(`volume:${name}`, 'locked');
      return;
    }
    this.#held.set(name, reason);
    troubles.began(`volume:${name}`, storageReason(reason) ?? 'disk');
    await this.#endRecordings(name, () => reason);
  }

  /** As `Recorder.loseVolume`. It is held until it is attached or detached again, or the pause is ended. */
  async lose(name: string, error: ReelError): Promise<void> {
    const { expected, got, hint = 'its state says what to do' } = error.parts;
    this.#params.troubles.began(`volume:${name}`, storageReason(error) ?? 'disk');
    this.#held.set(
      name,
      new ReelError('volume-paused', { expected, got, hint, details: { volume: name, code: error.code } }),
    );
    await this.#letGo(name, () => error);
  }

  /** Lets go of all, with what is recorded durable. */
  async close(): Promise<void> {
    await Promise.all(this.#params.attached.names.map((name) => this.#letGo(name, recordingStopped)));
  }

  /** The volume, for a recording of the stream. `volume-paused` where it waits, `recording-stopped` where it is being let go of, else as `AttachedVolumes.getWritable`. */
  recordable(name: string, stream: string): Recordable {
    const held = this.#held.get(name);
    if (held !== undefined) throw held;
    const volume = this.#params.attached.getWritable(name);
    if (volume.drained !== undefined) throw recordingStopped(stream);
    return volume;
  }

  #letGo(name: string, reason: (stream: string) => ReelError): Promise<void> {
    const { attached, signer } = this.#params;
    return attached.letGo(name, async () => {
      await this.#endRecordings(name, reason);
      const archive = attached.archive(name);
      if (archive !== undefined) await signer?.settled(archive);
    });
  }

  async #endRecordings(volume: string, reason: (stream: string) => ReelError): Promise<void> {
    await Promise.all(this.#params.recordedInto(volume).map((each) => each.stop(reason(each.stream))));
  }
}
