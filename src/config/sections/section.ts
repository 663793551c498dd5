/** A section of the configuration file: what it may hold, and what a schema cannot say of it. */
import type { Static, TObject } from 'typebox';
import type { Settings } from '../settings.ts';

/**
 * What a schema of the file may say beside types and bounds, at any level; it holds for all below.
 * `secret`: the value is in no answer, log, event or error. `risky`: a change of it could cut the admin off, and is made on trial.
 * `applies`: when a change takes effect; without it at once.
 */
export interface Marks {
  readonly secret?: true;
  readonly risky?: true;
  readonly applies?: 'next start';
}

/** Something that is wrong, before it is known where in the file it stands. */
export interface Fault {
  readonly path: readonly (string | number)[];
  readonly expected: string;
  readonly got: string;
}

export interface Section<S extends TObject> {
  /** Each key with a default, the section too: a file need not name any. */
  readonly schema: S;
  /** Paths are those inside the section. Only asked where the schema holds. */
  readonly check?: (values: Static<S>, border: Settings) => readonly Fault[];
}
