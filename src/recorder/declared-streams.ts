/** Which streams there are, and what a stream gets that nobody has declared. */
import { ReelError } from '../errors.ts';
import { checkNewStreamName, StreamRegistry, type StreamSettings } from './stream-registry.ts';

export interface StreamDefaults {
  /** Unless exactly one volume is in use. */
  readonly volume: string;
  readonly segmentMs: number;
  readonly evidence: boolean;
}

export const unknownStream = (name: string): ReelError =>
  new ReelError('not-found', { expected: 'a stream that is declared or recorded', got: name });

export class DeclaredStreams {
  readonly registry: StreamRegistry;
  readonly #defaults: StreamDefaults;
  readonly #volumesInUse: () => readonly string[];

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
