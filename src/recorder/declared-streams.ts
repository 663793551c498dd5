/** Which streams there are, and what a stream gets that nobody has declared. */
import { ReelError } from '../errors.ts';
import type { RecordingRules } from './recording-rules.ts';
import { checkNewStreamName, StreamRegistry, type StreamSettings } from './stream-registry.ts';

export interface StreamDefaults {
  /** Unless exactly one volume is in use. */
  readonly volume: string;
  readonly segmentMs: number;
  readonly evidence: boolean;
}

export const unknownStream = (name: string): ReelError =>
  new ReelError('not-found', {
    expected: 'a stream that is declared or recorded',
    got: name,
    details: { stream: name },
  });

export class DeclaredStreams {
  readonly registry: StreamRegistry;
  readonly #defaults: StreamDefaults;
  readonly #volumesInUse: () => readonly string[];
  /** Declared by a publisher of whom nothing has been recorded yet. */
  readonly #onTrial = new Set<string>();

  constructor(params: { path: string; defaults: StreamDefaults; volumesInUse: () => readonly string[] }) {
    this.registry = new StreamRegistry({ path: params.path });
    this.#defaults = params.defaults;
    this.#volumesInUse = params.volumesInUse;
  }

  /** `not-found` for a stream that is not declared. */
  get(name: string): StreamSettings {
    const settings = this.registry.get(name);
    if (settings === undefined) throw unknownStream(name);
    return settings;
  }

  /** Declares or changes a stream; resolves when that is on disk. */
  put(settings: StreamSettings): Promise<void> {
    this.#onTrial.delete(settings.name);
    return this.registry.put(settings);
  }

  /** When it is recorded; resolves when that is on disk. A stream that somebody has said so much of stays. */
  async setRules(name: string, rules: RecordingRules): Promise<void> {
    await this.registry.setRules(name, rules);
    this.#onTrial.delete(name);
  }

  delete(name: string): Promise<void> {
    return this.registry.delete(name);
  }

  /** Declares a stream for its first publisher; `judge` must follow. Does nothing for one that is declared. */
  async try(settings: StreamSettings): Promise<void> {
    if (this.registry.get(settings.name) !== undefined) return;
    this.#onTrial.add(settings.name);
    await this.registry.put(settings);
  }

  /** The publisher has gone. A stream that only he has declared stays if something of his is recorded. False where it went. */
  async judge(name: string, recorded: boolean): Promise<boolean> {
    if (!this.#onTrial.delete(name) || recorded) return true;
    await this.registry.delete(name);
    return false;
  }

  /** The settings of the stream, or those it would begin with. `invalid-argument` for a name that no stream can have. */
  settingsFor(name: string): StreamSettings {
    const declared = this.registry.get(checkNewStreamName(name));
    if (declared !== undefined) return declared;
    const [only, ...others] = this.#volumesInUse();
    const volume = only !== undefined && others.length === 0 ? only : this.#defaults.volume;
    return { name, ...this.#defaults, volume };
  }

  segmentMs(name: string): number {
    return (this.registry.get(name) ?? this.#defaults).segmentMs;
  }
}
