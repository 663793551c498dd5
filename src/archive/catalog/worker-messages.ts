/** What goes between the catalog and its worker thread. */
import type { WireError } from '../../errors.ts';
import type { CatalogCall } from './catalog-work.ts';

export interface WorkerStart {
  /** Of the volume's root and of its `.reelvault`; borrowed until the worker has ended. */
  readonly volumeFd: number;
  readonly directoryFd: number;
  /** Streams that a recovery has changed, and those it could not make whole. */
  readonly recovered: readonly string[];
  readonly failed: readonly string[];
}

export interface CallMessage {
  readonly id: number;
  readonly call: CatalogCall;
  readonly args: readonly unknown[];
}

/** `rebuild`: throw the database away and make it anew from the reels. */
export type ToWorker = CallMessage | 'close' | 'rebuild';

/** How far a rebuild is. */
export interface RebuildProgress {
  readonly streams: number;
  readonly streamsDone: number;
  readonly reels: number;
}

/**
 * `rebuilding`: the rows are being made anew; sessions that run must be told again. `unlisted`: a directory that could not be read. `failed`:
 * nothing is answered any more.
 */
export type FromWorker =
  | { readonly type: 'answer'; readonly id: number; readonly result: unknown }
  | { readonly type: 'refusal'; readonly id: number; readonly error: WireError }
  | { readonly type: 'ready' }
  | { readonly type: 'rebuilding'; readonly why: string }
  | ({ readonly type: 'progress' } & RebuildProgress)
  | { readonly type: 'unlisted'; readonly directory: string; readonly error: WireError }
  | { readonly type: 'failed'; readonly error: WireError };
