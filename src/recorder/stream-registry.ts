/** The streams and their settings, in `<state>/streams.json`. The file is replaced as a whole, so a crash leaves the old or the new one. */
import { open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { ReelError } from '../errors.ts';
import { isRules, noRules, type RecordingRules } from './recording-rules.ts';

export interface StreamSettings {
  readonly name: string;
  /** The volume it records into. */
  readonly volume: string;
  /** Wanted length of a segment. */
  readonly segmentMs: number;
  /** Keep a SHA-256 of each segment. */
  readonly evidence: boolean;
  /** How much of what is not recorded is kept in memory, for a recording to begin with; none where it is left out. */
  readonly preRecordSeconds?: number;
}

/** A reel stays for ten minutes after its hour, whatever the rules of retention: what a recording begins with finds it there. */
export const longestPreRecordSeconds = 300;

/** Where the numbers of a stream's live playlist stand; playback counts on from it. */
export interface NumberAnchor {
  /** Hours since the Unix epoch. */
  readonly hour: number;
  /** Media sequence of the hour's first segment. */
  readonly sequence: number;
  /** Discontinuities before the hour's first segment. */
  readonly discontinuities: number;
}

type Entry = StreamSettings & { readonly anchor?: NumberAnchor; readonly recording?: RecordingRules };

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

const isEntry = (value: unknown): value is Entry => {
  const { name, volume, segmentMs, evidence, preRecordSeconds, anchor, recording } = (value ?? {}) as Record<
    string,
    unknown
  >;
  const numbers = (anchor ?? { hour: 0, sequence: 0, discontinuities: 0 }) as Record<string, unknown>;
  return (
    typeof name === 'string' &&
    isStreamName(name) &&
    typeof volume === 'string' &&
    isCount(segmentMs) &&
    typeof evidence === 'boolean' &&
    (preRecordSeconds === undefined || isCount(preRecordSeconds)) &&
    [numbers.hour, numbers.sequence, numbers.discontinuities].every(isCount) &&
    (recording === undefined || isRules(recording))
  );
};

/** Names of streams are directory names of the archive and first parts of playback URLs. */
export const isStreamName = (value: string): boolean => /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(value);

/** `invalid-argument` for a name that cannot be a stream's. */
export const checkStreamName = (value: string): string => {
  if (isStreamName(value)) return value;
  throw new ReelError('invalid-argument', {
    expected: 'a stream name of up to 63 letters, digits, - and _, that begins with a letter or digit',
    got: JSON.stringify(value.slice(0, 80)),
  });
};

/** Stream names that would hide routes of the service. */
const reservedStreams: ReadonlySet<string> = new Set(['api', 'ingest']);

/** As `checkStreamName`, for a stream that may be new: `invalid-argument` for a name that its playback could not have. */
export const checkNewStreamName = (value: string): string => {
  if (!reservedStreams.has(value)) return checkStreamName(value);
  throw new ReelError('invalid-argument', { expected: 'a stream name that is no word of the API', got: value });
};

export class StreamRegistry {
  readonly #path: string;
  #entries = new Map<string, Entry>();
  /** One write at a time, in the order of the changes. */
  #written: Promise<void> = Promise.resolve();

  constructor(params: { path: string }) {
    this.#path = params.path;
  }

  /** Reads the file; a missing one means no streams. `config-invalid` where it is not what this class wrote. */
  async load(): Promise<void> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    const damaged = (cause?: unknown): ReelError =>
      new ReelError('config-invalid', {
        expected: `the streams and their settings in ${this.#path}`,
        got: 'a file that does not hold them',
        hint: 'restore the file, or remove it: recordings stay, the settings start from the defaults',
        cause,
      });
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (error) {
      throw damaged(error);
    }
    const { streams } = (parsed ?? {}) as { streams?: unknown };
    if (!Array.isArray(streams) || !streams.every(isEntry)) throw damaged();
    this.#entries = new Map(streams.map((entry) => [entry.name, entry]));
  }

  list(): StreamSettings[] {
    return [...this.#entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): StreamSettings | undefined {
    return this.#entries.get(name);
  }

  /** Adds or changes a stream; resolves when it is on disk. */
  put(settings: StreamSettings): Promise<void> {
    const { name, volume, segmentMs, evidence, preRecordSeconds = 0 } = settings;
    this.#entries.set(name, { ...this.#entries.get(name), name, volume, segmentMs, evidence, preRecordSeconds });
    return this.#write();
  }

  delete(name: string): Promise<void> {
    this.#entries.delete(name);
    return this.#write();
  }

  anchor(name: string): NumberAnchor | undefined {
    return this.#entries.get(name)?.anchor;
  }

  /** Kept with the settings; a stream that is not declared (an archive from elsewhere) has no place for one. */
  async setAnchor(name: string, anchor: NumberAnchor): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.set(name, { ...entry, anchor });
    await this.#write();
  }

  /** When the stream is recorded. */
  rules(name: string): RecordingRules {
    return this.#entries.get(name)?.recording ?? noRules;
  }

  /** Of a stream that is declared; resolves when it is on disk, and changes nothing where that fails. */
  async setRules(name: string, recording: RecordingRules): Promise<void> {
    const before = this.#entries.get(name);
    if (before === undefined) return;
    this.#entries.set(name, { ...before, recording });
    try {
      await this.#write();
    } catch (error) {
      const now = this.#entries.get(name);
      if (now?.recording === recording) this.#entries.set(name, { ...now, recording: before.recording ?? noRules });
      throw error;
    }
  }

  #write(): Promise<void> {
    const write = async (): Promise<void> => {
      const temporary = `${this.#path}.new`;
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(`${JSON.stringify({ streams: this.list() }, undefined, 2)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.#path);
      const directory = await open(path.dirname(this.#path), 'r');
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    };
    // A failed write must not keep later ones from being tried; its own caller gets the failure.
    this.#written = this.#written.then(write, write);
    return this.#written;
  }
}
