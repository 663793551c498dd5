import { Type } from 'typebox';
import type { Progress } from '../../volume/reencrypt/progress.ts';
import { container, key, minute, name, none, strict } from './parts.ts';

const uuid = Type.Optional(Type.String({ maxLength: 40 }));
const timeoutMs = 30 * minute;
const byCurrent = (request: { readonly current: 'passphrase' | 'keyFile' }): readonly string[] =>
  request.current === 'passphrase' ? ['the key that opens now'] : [];

/** A new volume key. Start and resume answer when the work is under way; it goes on in a process of its own. */
export const reencryptVerbs = {
  'reencrypt-start': {
    schema: Type.Object(
      { verb: Type.Literal('reencrypt-start'), name, container, uuid, current: key, dropOtherKeys: Type.Boolean() },
      strict,
    ),
    secrets: byCurrent,
    timeoutMs,
  },
  'reencrypt-resume': {
    schema: Type.Object({ verb: Type.Literal('reencrypt-resume'), name, container, uuid, current: key }, strict),
    secrets: byCurrent,
    timeoutMs,
  },
  'reencrypt-status': {
    schema: Type.Object({ verb: Type.Literal('reencrypt-status'), name, container, uuid }, strict),
    secrets: none,
    timeoutMs: 2 * minute,
  },
  /** After the data is rewritten: header backups, tokens, a key file that opens nothing any more. */
  'reencrypt-finish': {
    schema: Type.Object({ verb: Type.Literal('reencrypt-finish'), name, container, uuid }, strict),
    secrets: none,
    timeoutMs,
  },
} as const;

export interface ReencryptReport {
  /**
   * `none` · `running` · `unfinished` it was ended in the middle and must be resumed, `problem` is the last thing it said · `rewritten` all data is
   * under the new key, `reencrypt-finish` is due.
   */
  readonly state: 'none' | 'running' | 'unfinished' | 'rewritten';
  readonly progress: Progress | null;
  readonly problem: string | null;
}

export interface ReencryptFinished {
  /** False when there was nothing to finish. */
  readonly finished: boolean;
  readonly keyFileRemoved: boolean;
}

export interface ReencryptResults {
  readonly 'reencrypt-start': ReencryptReport;
  readonly 'reencrypt-resume': ReencryptReport;
  readonly 'reencrypt-status': ReencryptReport;
  readonly 'reencrypt-finish': ReencryptFinished;
}
