/**
 * Retention of one open volume: its rules, its episodes, and what is deleted. Rules, deletions and episodes are each changed one at a time; an
 * episode does not wait for a deletion that is under way, and protects what is not deleted yet at once.
 */
import type { Jail } from '../../datapath/jail.ts';
import { ReelError } from '../../errors.ts';
import { KeyedMutex } from '../../volume/mutex.ts';
import { type Episode, isExpired, protectionOf } from '../episodes/episode.ts';
import { EpisodeStore } from '../episodes/store.ts';
import { openHour } from '../recovery.ts';
import { hourOf, hourPath } from '../reel.ts';
import { Books, type RetentionState } from './books.ts';
import type { ReelCatalog } from './catalog.ts';
import { deleteReels, finishDeleting } from './delete.ts';
import { type Purge, type PurgePlan, planPurge, purgeTooLarge, takesMost } from './plan.ts';
import { keeperOf, type Protection, type Reel, type ReelName } from './reels.ts';
import { byStream, type PurgedStream, type PurgeReport, reportOf } from './report.ts';
import { RuleStore, type VolumeRuleChange } from './rule-store.ts';
import { deletesAnything, type OwnRules, type RetentionRules, rulesOf } from './rules.ts';
import { expectedFree, type LastPurge, type VolumeFacts } from './space.ts';
import { StuckReels } from './stuck.ts';
import { planThin, type Urgency } from './thin.ts';

export type RetentionFiles = Pick<
  Jail,
  'fd' | 'mkdirp' | 'open' | 'readdir' | 'rename' | 'stat' | 'unlink' | 'syncDirectory' | 'readFile' | 'writeFileAtomic'
>;

export interface VolumeRetentionParams {
  readonly name: string;
  readonly files: RetentionFiles;
  readonly catalog: ReelCatalog;
  readonly readOnly: boolean;
  readonly facts: () => VolumeFacts;
  /** Another system's list of episodes; it throws where that cannot be had. */
  readonly external: (() => Promise<readonly Protection[]>) | undefined;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds from any start, by a clock that is never set. */
  readonly elapsed: () => number;
  /** Some reels of a stream are gone, by whatever rule. */
  readonly onPurged: (purged: PurgedStream) => void;
  /** The storage does not let go of reels of a stream; others are deleted. Told once. */
  readonly onStuck: (stream: string, error: ReelError) => void;
}

export interface PurgeOptions {
  readonly dryRun: boolean;
  /** Also where it takes more than half of the archive. */
  readonly allowMost: boolean;
}

export interface ThinOptions extends PurgeOptions {
  readonly bytes: number;
  readonly urgency: Urgency;
}

type Step = (plan: {
  reels: readonly Reel[];
  rules: RetentionRules;
  nowUs: number;
  keepOf: ReturnType<typeof keeperOf>;
}) => PurgePlan;

export class VolumeRetention {
  readonly name: string;
  readonly #params: VolumeRetentionParams;
  readonly #rules: RuleStore;
  readonly #episodes: EpisodeStore;
  readonly #catalog: ReelCatalog;
  readonly #turns = new KeyedMutex();
  readonly #closing = new AbortController();
  readonly #leases = new Set<Protection>();
  /** As they were read or written last. */
  #known: readonly Episode[] = [];
  #external: readonly Protection[] = [];
  #last: LastPurge | undefined;
  readonly #stuck: StuckReels;
  readonly #books: Books;

  constructor(params: VolumeRetentionParams) {
    const { files, now } = params;
    this.name = params.name;
    this.#params = params;
    this.#books = new Books({ volume: params.name, facts: params.facts });
    this.#rules = new RuleStore({ files });
    this.#episodes = new EpisodeStore({ files, now });
    this.#catalog = params.catalog;
    this.#stuck = new StuckReels(params.onStuck);
  }

  /** Not every reel is known yet. */
  get building(): boolean {
    return this.#catalog.building;
  }

  /** Goes on with a deletion that a crash cut off. The reels that are gone now. */
  resume(): Promise<readonly ReelName[]> {
    if (this.#params.readOnly) return Promise.resolve([]);
    return this.#turns.run('purge', async () => {
      if ((await this.#catalog.garbage()).length === 0) return [];
      await this.#learnProtections(await this.#rules.read());
      return finishDeleting(this.#deletion());
    });
  }

  /** No deletion begins any more; resolves when the one under way has come to the end of a directory. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#turns.idle();
  }

  /** As they are now; the books follow them. */
  async rules(): Promise<RetentionRules> {
    const rules = await this.#rules.read();
    this.#books.ruled(rules);
    return rules;
  }

  changeRules(change: VolumeRuleChange): Promise<RetentionRules> {
    return this.#ruling(() => this.#rules.change(change));
  }

  changeStreamRules(stream: string, change: OwnRules | undefined): Promise<RetentionRules> {
    return this.#ruling(() => this.#rules.changeStream(stream, change));
  }

  /** Those that protect now, and those that have expired. `episodes-unavailable`. */
  async episodes(): Promise<readonly Episode[]> {
    return this.#turns.run('episodes', () => this.#readEpisodes());
  }

  putEpisode(episode: Omit<Episode, 'id'> & { readonly id?: string }, replace: boolean): Promise<Episode> {
    this.#mustBeWritable();
    return this.#turns.run('episodes', async () => {
      const added = await this.#episodes.put(episode, replace);
      await this.#readEpisodes();
      return added;
    });
  }

  removeEpisode(id: string): Promise<Episode | undefined> {
    this.#mustBeWritable();
    return this.#turns.run('episodes', async () => {
      const removed = await this.#episodes.remove(id);
      await this.#readEpisodes();
      return removed;
    });
  }

  /** Keeps a range for somebody who reads it, until the answer is called or the volume is closed. */
  lease(stream: string, fromUs: number, toUs: number): () => void {
    const lease: Protection = { stream, fromUs, toUs, kind: 'lease' };
    this.#leases.add(lease);
    return () => this.#leases.delete(lease);
  }

  /**
   * Deletes what the rules say. `episodes-unavailable`, `purge-too-large`, `volume-state` where it is read-only, and the storage's errors: then
   * what was told is gone and the rest stays.
   */
  purge(options: PurgeOptions): Promise<PurgeReport> {
    return this.#run(options, ({ reels, rules, nowUs, keepOf }) => {
      const { freeBytes, bytesPerSecond } = this.#params.facts();
      const free =
        freeBytes === undefined
          ? undefined
          : expectedFree(freeBytes, this.#last, this.#params.elapsed(), bytesPerSecond);
      const plan = planPurge({
        reels,
        rulesOf: (stream) => rulesOf(rules, stream),
        keepOf,
        nowUs,
        freeBytes: free,
        wantedFreeBytes: this.#books.state.wantedFreeBytes,
      });
      this.#books.planned(plan);
      return plan;
    });
  }

  /** Frees bytes because somebody asks for them, whatever the rules say. Errors as of `purge`. */
  thin(options: ThinOptions): Promise<PurgeReport> {
    return this.#run(options, ({ reels, rules, nowUs, keepOf }) =>
      planThin({ ...options, reels, rulesOf: (stream) => rulesOf(rules, stream), keepOf, nowUs }),
    );
  }

  get state(): RetentionState {
    return this.#books.state;
  }

  #run({ dryRun, allowMost }: PurgeOptions, step: Step): Promise<PurgeReport> {
    if (!dryRun) this.#mustBeWritable();
    return this.#turns.run('purge', async () => {
      const rules = await this.#rules.read();
      await this.#learnProtections(rules);
      if (!dryRun) await finishDeleting(this.#deletion());
      const reels = await this.#catalog.list();
      this.#books.listed(reels, rules, this.#nowUs());
      const loose = this.#stuck.loose(reels);
      const plan = step({ reels: loose, rules, nowUs: this.#nowUs(), keepOf: this.#keeper(reels) });
      if (!dryRun && !allowMost && takesMost(plan)) throw purgeTooLarge(this.name, plan);
      if (dryRun) return reportOf(this.name, true, plan.purges, plan);
      return reportOf(this.name, false, await this.#delete(plan.purges), plan);
    });
  }

  /** Told as it goes on: after a failure the books say what is gone. */
  async #delete(purges: readonly Purge[]): Promise<Purge[]> {
    const freeBefore = this.#params.facts().freeBytes;
    const purgeOf = new Map<ReelName, Purge>(purges.map((purge) => [purge.reel, purge]));
    const gone: Purge[] = [];
    const account = (reels: readonly Reel[]): void => {
      for (const reel of reels) {
        const purge = purgeOf.get(reel) as Purge;
        gone.push(purge);
        this.#books.purged(purge);
      }
    };
    try {
      await deleteReels(
        this.#deletion(),
        purges.map(({ reel }) => reel),
        account,
        this.#closing.signal,
      );
    } finally {
      const bytes = gone.reduce((sum, { reel }) => sum + reel.bytes, 0);
      if (freeBefore !== undefined && bytes > 0) this.#last = { at: this.#params.elapsed(), freeBefore, bytes };
      for (const purged of byStream(gone)) this.#params.onPurged(purged);
    }
    return gone;
  }

  #deletion(): Parameters<typeof finishDeleting>[0] {
    const { files } = this.#params;
    const currentHour = hourPath(hourOf(this.#nowUs()));
    const mayGo = (reel: ReelName): boolean => this.#keeper([reel])(reel) === undefined;
    return { files, catalog: this.#catalog, currentHour, mayGo, onStuck: this.#stuck.add };
  }

  #keeper(reels: readonly ReelName[]): ReturnType<typeof keeperOf> {
    const streams = new Set(reels.map(({ stream }) => stream));
    const openFrom = new Map<string, number>();
    for (const stream of streams) {
      const hour = openHour(this.#params.files, stream);
      if (hour !== undefined) openFrom.set(stream, hour);
    }
    const now = this.#params.now();
    const episodes = this.#known.filter((episode) => streams.has(episode.stream) && !isExpired(episode, now));
    const protections = [...episodes.map(protectionOf), ...this.#external, ...this.#leases];
    return keeperOf({ protections, openFrom, nowUs: this.#nowUs() });
  }

  async #learnProtections(rules: RetentionRules): Promise<void> {
    await this.#turns.run('episodes', async () => {
      this.#known = await this.#episodes.list({ mustExist: deletesAnything(rules) });
    });
    if (this.#params.external !== undefined) this.#external = await this.#params.external();
  }

  async #readEpisodes(): Promise<readonly Episode[]> {
    this.#known = await this.#episodes.list({ mustExist: deletesAnything(await this.#rules.read()) });
    return this.#known;
  }

  /** Before there is a rule there is a list of episodes: one that is missing then was lost. */
  #ruling(change: () => Promise<RetentionRules>): Promise<RetentionRules> {
    this.#mustBeWritable();
    return this.#turns.run('purge', async () => {
      if (!deletesAnything(await this.#rules.read())) await this.#episodes.ensure();
      const rules = await change();
      const known = rules.freeMinutes === null ? undefined : await this.#catalog.list().catch(() => undefined); // else the next pass tells
      if (known === undefined) this.#books.ruled(rules);
      else this.#books.listed(known, rules, this.#nowUs());
      return rules;
    });
  }

  #nowUs(): number {
    return this.#params.now() * 1000;
  }

  #mustBeWritable(): void {
    if (!this.#params.readOnly && !this.#closing.signal.aborted) return;
    throw new ReelError('volume-state', {
      expected: `the volume ${this.name} open for writing`,
      got: this.#params.readOnly ? 'open read-only' : 'one that is being locked',
      hint: 'lock it and open it for writing',
      details: { volume: this.name },
    });
  }
}
