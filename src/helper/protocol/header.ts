import { Type } from 'typebox';
import { backupNamePattern } from '../../config/schema-words.ts';
import type { DestroyReport } from '../../volume/destroy/report.ts';
import type { BackupFile } from '../../volume/headers/backup-files.ts';
import type { HeaderCheck } from '../../volume/headers/check.ts';
import type { Comparison } from '../../volume/headers/compare.ts';
import type { RepairReport } from '../../volume/headers/repair.ts';
import type { RestoreReport } from '../../volume/headers/restore.ts';
import { container, minute, name, none, strict, uuid } from './parts.ts';

const which = { name, container, uuid };
/** A name of the list, never a path. */
const backup = Type.Optional(Type.String({ pattern: backupNamePattern }));

/** The header of a volume, and the end of one. No verb takes a key. */
export const headerVerbs = {
  'header-backup': {
    schema: Type.Object({ verb: Type.Literal('header-backup'), ...which }, strict),
    secrets: none,
    timeoutMs: 10 * minute,
  },
  'header-list': {
    schema: Type.Object({ verb: Type.Literal('header-list'), ...which }, strict),
    secrets: none,
    timeoutMs: 5 * minute,
  },
  'header-compare': {
    schema: Type.Object({ verb: Type.Literal('header-compare'), ...which, backup }, strict),
    secrets: none,
    timeoutMs: 5 * minute,
  },
  'header-check': {
    schema: Type.Object(
      { verb: Type.Literal('header-check'), ...which, size: Type.Optional(Type.Integer({ minimum: 0 })) },
      strict,
    ),
    secrets: none,
    timeoutMs: 5 * minute,
  },
  /** Idempotent; takes up an interrupted one. */
  'header-restore': {
    schema: Type.Object({ verb: Type.Literal('header-restore'), ...which, backup, force: Type.Boolean() }, strict),
    secrets: none,
    timeoutMs: 15 * minute,
  },
  'header-repair': {
    schema: Type.Object({ verb: Type.Literal('header-repair'), ...which }, strict),
    secrets: none,
    timeoutMs: 5 * minute,
  },
  /** Crypto-shred. Idempotent; finishes an interrupted one. `confirm` is the name again. */
  destroy: {
    schema: Type.Object({ verb: Type.Literal('destroy'), ...which, confirm: Type.String({ maxLength: 255 }) }, strict),
    secrets: none,
    timeoutMs: 30 * minute,
  },
} as const;

export interface HeaderBackups {
  /** The directories, the first place first. */
  readonly places: readonly string[];
  /** Newest first. */
  readonly backups: readonly BackupFile[];
}

export interface HeaderResults {
  readonly 'header-backup': HeaderBackups & { readonly removedFiles: number };
  readonly 'header-list': HeaderBackups;
  readonly 'header-compare': Comparison & { readonly backupName: string };
  readonly 'header-check': HeaderCheck;
  readonly 'header-restore': RestoreReport;
  readonly 'header-repair': RepairReport;
  readonly destroy: DestroyReport;
}
