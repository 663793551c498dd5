/** Retention of all open volumes: a pass a minute over each that has rules. What cannot be done is told once, until it can. */
import type { Logger } from 'pino';
import { ReelError, toReelError } from '../../errors.ts';
import type { RetentionState } from './books.ts';
import type { ReelCatalog } from './catalog.ts';
import type { Protection } from './reels.ts';
import { deletesAnything } from './rules.ts';
import type { VolumeFacts } from './space.ts';
import { type RetentionFiles, VolumeRetention } from './volume-retention.ts';

/** Something that retention did, or that keeps it from doing its work; docs/events.md. */
export interface RetentionNews {
  readonly type: `archive.${string}`;
  readonly volume: string;
  readonly stream: string | null;
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface RetentionParams {
  readonly facts: (volume: string) => VolumeFacts;
  /** Another system's list of episodes, of all volumes. */
  readonly external: (() => Promise<readonly Protection[]>) | undefined;
  readonly onNews: (news: RetentionNews) => void;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds from any start, by a clock that is never set. */
  readonly elapsed?: () => number;
  readonly intervalMs?: number;
}

interface Kept {
  readonly retention: VolumeRetention;
  readonly readOnly: boolean;
  /** By the clock of `elapsed`. */
  dueAt: number;
  problem: ReelError | undefined;
}

/** The next pass is so many times as far away as the last one took: a long walk over a large archive must not become all there is. */
const restFactor = 50;

export class Retention {
  readonly #params: RetentionParams;
  readonly #elapsed: () => number;
  readonly #volumes = new Map<string, Kept>();
  #timer: NodeJS.Timeout | undefined;
  #passing: Promise<void> | undefined;

  constructor(params: RetentionParams) {
    this.#params = params;
    this.#elapsed = params.elapsed ?? (() => performance.now());
  }

  start(): void {
    this.#timer = setInterval(() => this.#passSoon(), this.#params.intervalMs ?? 60_000).unref();
  }

  /** A volume is full: its pass does not wait for its time. */
  hurry(volume: string): void {
    const kept = this.#volumes.get(volume);
    if (kept === undefined) return;
    kept.dueAt = 0;
    void (this.#passing ?? Promise.resolve()).then(() => this.#passSoon());
  }

  /** Ends what is under way at the next directory. Idempotent. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#volumes.keys()].map((name) => this.detach(name)));
    await this.#passing;
  }

  /** An open volume; its files stay the volume manager's. The next pass finishes a deletion that was cut off. Does nothing for one that is attached. */
  attach(volume: {
    readonly name: string;
    readonly files: RetentionFiles;
    readonly catalog: ReelCatalog;
    readonly readOnly: boolean;
  }): void {
    if (this.#volumes.has(volume.name)) return;
    const { facts, external, now } = this.#params;
    const retention = new VolumeRetention({
      ...volume,
      facts: () => facts(volume.name),
      external,
      now,
      elapsed: this.#elapsed,
      onPurged: ({ stream, ...purged }) => this.#tell('archive.purged', volume.name, stream, purged),
      onStuck: (stream, error) => this.#stuck(volume.name, stream, error),
    });
    const kept: Kept = { retention, readOnly: volume.readOnly, dueAt: 0, problem: undefined };
    this.#volumes.set(volume.name, kept);
  }

  /** Resolves when nothing of the volume is touched any more. Idempotent. */
  async detach(name: string): Promise<void> {
    const kept = this.#volumes.get(name);
    this.#volumes.delete(name);
    await kept?.retention.close();
  }

  /** `volume-state` for a volume that is not open. */
  of(volume: string): VolumeRetention {
    const kept = this.#volumes.get(volume);
    if (kept !== undefined) return kept.retention;
    throw new ReelError('volume-state', {
      expected: `the volume ${volume} open`,
      got: 'not open',
      hint: 'open the volume first: its rules and episodes lie in it',
      details: { volume },
    });
  }

  /** One after another, those whose time has come. */
  async pass(): Promise<void> {
    for (const [name, kept] of this.#volumes) {
      const { retention } = kept;
      if (kept.readOnly || this.#elapsed() < kept.dueAt || !this.#volumes.has(name) || retention.building) continue;
      const began = this.#elapsed();
      try {
        const { length } = await retention.resume();
        if (length > 0) this.#params.log.warn({ volume: name, reels: length }, 'finished a deletion that was cut off');
        if (deletesAnything(await retention.rules())) await retention.purge({ dryRun: false, allowMost: false });
        this.#went(kept);
      } catch (error) {
        if (this.#volumes.get(name) === kept) this.#stopped(kept, toReelError(error));
      }
      kept.dueAt = began + (this.#elapsed() - began) * restFactor;
    }
  }

  /** Why nothing is deleted from the volume, where a pass failed. */
  problem(volume: string): ReelError | null {
    return this.#volumes.get(volume)?.problem ?? null;
  }

  get states(): readonly (RetentionState & { readonly problem: string | null })[] {
    return [...this.#volumes.values()].map(({ retention, problem }) => ({
      ...retention.state,
      problem: problem?.code ?? null,
    }));
  }

  #passSoon(): void {
    this.#passing ??= this.pass().finally(() => {
      this.#passing = undefined;
    });
  }

  #went(kept: Kept): void {
    if (kept.problem === undefined) return;
    kept.problem = undefined;
    this.#tell('archive.purge.resumed', kept.retention.name, null, {});
  }

  #stopped(kept: Kept, error: ReelError): void {
    const told = kept.problem?.code === error.code;
    kept.problem = error;
    if (told) return;
    const { code, message } = error;
    this.#params.log.error({ volume: kept.retention.name, err: error }, 'retention cannot delete');
    this.#tell('archive.purge.stopped', kept.retention.name, null, { code, reason: message });
  }

  #stuck(volume: string, stream: string, error: ReelError): void {
    const { code, message } = error;
    this.#params.log.error({ volume, stream, err: error }, 'the storage does not let go of a reel; others are deleted');
    this.#tell('archive.purge.stuck', volume, stream, { code, reason: message });
  }

  #tell(type: RetentionNews['type'], volume: string, stream: string | null, facts: object): void {
    this.#params.onNews({ type, volume, stream, facts: { ...facts } });
  }
}
