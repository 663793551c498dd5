import { Type } from 'typebox';
import { container, minute, name, none, strict } from './parts.ts';
import type { LockReport } from './volume.ts';

/** Milliseconds that a process has between being asked to end and being ended. */
export const slamDeadline = Type.Integer({ minimum: 0, maximum: 10 * minute });

/** The last of the close levels. */
export const slamVerbs = {
  /** Ends whoever uses the volume, aborts a block plane that hangs, unmounts, lazily if need be. Idempotent. */
  slam: {
    schema: Type.Object({ verb: Type.Literal('slam'), name, container, deadlineMs: slamDeadline }, strict),
    secrets: none,
    timeoutMs: 30 * minute,
  },
} as const;

/** One thing that was done by force, or not done on purpose. */
export interface SlamAct {
  /**
   * `term`, `kill` a process was told to end, was ended · `spared` a process of the service, or of the system, was left alone · `abort` a
   * FUSE connection was cut or its server ended · `unmount` · `unmount-lazily` somebody kept it busy to the end.
   */
  readonly act: 'term' | 'kill' | 'spared' | 'abort' | 'unmount' | 'unmount-lazily';
  /** Path of what it used, mount point, or FUSE connection. */
  readonly target: string;
  readonly pid: number | null;
  readonly command: string | null;
  readonly unit: string | null;
}

export interface SlamReport extends LockReport {
  readonly acts: readonly SlamAct[];
}

export interface SlamResults {
  readonly slam: SlamReport;
}
