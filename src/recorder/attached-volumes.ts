/** The open volumes a recorder records into: their archives, and their places in the native writer. The descriptors stay with whoever attaches. */
import type { Logger } from 'pino';
import { VolumeArchive } from '../archive/archive.ts';
import { Catalog } from '../archive/catalog/catalog.ts';
import { openHour, type RecoveredReel, recoverVolume } from '../archive/recovery.ts';
import { hourPath, hourUs, reelPath } from '../archive/reel.ts';
import type { VolumeFiles } from '../archive/volume-files.ts';
import { ReelError, toReelError } from '../errors.ts';
import { type NativeWriter, type RecoveryReport, recoverReel } from '../native.ts';
import { unusableVolume } from './refusals.ts';

/** An open volume; its jail stays the volume manager's. */
export interface AttachedVolume {
  readonly name: string;
  /** The container's, as text. */
  readonly uuid: string;
  /** Played from, never recorded into. */
  readonly readOnly?: boolean;
  readonly jail: VolumeFiles;
}

export interface Attached {
  readonly archive: VolumeArchive;
  /** Its place in the native writer; none for a volume that is open read-only. */
  readonly writerId: number | undefined;
  /** Set when a drain has begun: new publishers are refused from then on. */
  drained?: Promise<void>;
}

/** An attached volume that takes recordings. */
export type Recordable = Attached & { readonly writerId: number };

const uuidBytes = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex');

export class AttachedVolumes {
  readonly #writer: NativeWriter;
  readonly #log: Logger;
  readonly #volumes = new Map<string, Attached>();
  /** Open volumes that could not be taken into use, and why. */
  readonly #refused = new Map<string, ReelError>();

  constructor(params: { writer: NativeWriter; log: Logger }) {
    this.#writer = params.writer;
    this.#log = params.log;
  }

  get names(): string[] {
    return [...this.#volumes.keys()];
  }

  /** Those that can be recorded into. */
  get writable(): string[] {
    return [...this.#volumes].filter(([, { writerId }]) => writerId !== undefined).map(([name]) => name);
  }

  /** As `Recorder.attachVolume`. Why it failed is the answer to all who ask for the volume, until it is let go. */
  async attach(volume: AttachedVolume): Promise<RecoveredReel[]> {
    if (this.#volumes.has(volume.name)) return [];
    try {
      const recovered = await this.#attach(volume);
      this.#refused.delete(volume.name);
      return recovered;
    } catch (thrown) {
      const error = unusableVolume(volume.name, toReelError(thrown));
      this.#refused.set(volume.name, error);
      throw error;
    }
  }

  async #attach({ name, uuid, jail, readOnly = false }: AttachedVolume): Promise<RecoveredReel[]> {
    // A recovery writes. Without one the archive shows what the indexes say, which never name bytes that were not durable before.
    const { recovered, failed } = readOnly ? { recovered: [], failed: [] } : await recoverVolume(jail);
    const writerId = readOnly ? undefined : this.#writer.addVolume(jail.fd, uuidBytes(uuid));
    const log = this.#log;
    const catalog = readOnly
      ? undefined
      : new Catalog({
          files: jail,
          recovered: recovered.map(({ stream }) => stream),
          failed: failed.map(({ stream }) => stream),
          onUnlisted: (directory, error) => archive.passOver(directory, error),
          onState: (state, { why, error }) => {
            if (error === undefined) log.info({ volume: name, state, why }, 'the catalog');
            else log.error({ volume: name, err: error }, 'the catalog failed; the reels are asked instead');
          },
        });
    const archive = new VolumeArchive({
      files: jail,
      ...(catalog === undefined ? {} : { catalog }),
      onDamaged: (stream, hour, error) =>
        log.error({ volume: name, stream, hour: hourPath(hour), err: error }, 'passed over a damaged reel'),
      onUnlisted: (directory, error) =>
        log.error({ volume: name, directory, err: error }, 'passed over a directory that cannot be read'),
    });
    this.#volumes.set(name, { archive, writerId });
    catalog?.start();
    for (const { stream, hour, error } of failed) {
      // What the index of that reel names may not be there: nothing from it on is shown until a recovery has succeeded.
      archive.showUpTo(stream, hour === undefined ? -1 : hour * hourUs - 1);
      log.error({ volume: name, stream, err: error }, 'a stream could not be recovered');
    }
    for (const reel of recovered) {
      log.warn({ volume: name, ...reel }, 'recovered a reel that was open');
      if (reel.lost > 0)
        log.error({ volume: name, ...reel }, 'acknowledged segments are lost: the reel ends before them');
    }
    return recovered;
  }

  /** `volume-state` for a volume that is not attached; for one that is open and could not be, with the reason. */
  get(name: string): Attached {
    const attached = this.#volumes.get(name);
    const refused = this.#refused.get(name);
    if (refused !== undefined) throw refused;
    if (attached === undefined)
      throw new ReelError('volume-state', {
        expected: `the volume ${name} open`,
        got: 'not open',
        hint: 'open the volume first',
        details: { volume: name },
      });
    return attached;
  }

  /** As `get`, and its place in the writer. `volume-state` for a volume that is open read-only, too. */
  getWritable(name: string): Recordable {
    const attached = this.get(name);
    const { writerId } = attached;
    if (writerId !== undefined) return Object.assign(attached, { writerId });
    throw new ReelError('volume-state', {
      expected: `the volume ${name} open for writing`,
      got: 'open read-only',
      hint: 'lock it and open it for writing, or record into another volume',
      details: { volume: name },
    });
  }

  /** The archive of a volume, where it is attached. */
  archive(name: string): VolumeArchive | undefined {
    return this.#volumes.get(name)?.archive;
  }

  /** The archive that holds recordings of the stream. */
  holderOf(stream: string): VolumeArchive | undefined {
    return [...this.#volumes.values()].find(({ archive }) => archive.knows(stream))?.archive;
  }

  /** As `Recorder.recoverReel`. */
  async recoverReel(name: string, stream: string, hour: number): Promise<RecoveryReport> {
    const { archive } = this.getWritable(name);
    const closed = openHour(archive.files, stream) !== hour;
    const report = await recoverReel(archive.files.fd, reelPath(stream, hour), { closed });
    await archive.catalog?.changed({ stream, hour });
    return report;
  }

  /** Runs `endRecordings`, then lets go of the volume. Once for all who ask at the same time; nothing for a volume that is not attached. */
  async letGo(name: string, endRecordings: () => Promise<void>): Promise<void> {
    this.#refused.delete(name);
    const attached = this.#volumes.get(name);
    if (attached === undefined) return;
    attached.drained ??= this.#drain(name, attached, endRecordings);
    await attached.drained;
  }

  async #drain(name: string, attached: Attached, endRecordings: () => Promise<void>): Promise<void> {
    await endRecordings();
    try {
      if (attached.writerId !== undefined) await this.#writer.removeVolume(attached.writerId);
    } finally {
      // Whatever the writer says, nothing of ours may keep the volume from being locked, or from being attached again.
      await attached.archive.close();
      this.#volumes.delete(name);
    }
  }
}
