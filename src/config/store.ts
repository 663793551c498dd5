/**
 * The configuration of the running service: what holds now, changes of it by the API and by whoever edits the file, one after another. A file
 * that is wrong changes nothing; a change that a part of the service refuses is taken back everywhere.
 */
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { ReelError, toReelError } from '../errors.ts';
import type { Changed, ConfigChange, ConfigNews, ConfigStoreParams } from './file/change.ts';
import { type Checked, checkConfig } from './file/check.ts';
import { ConfigFile } from './file/config-file.ts';
import { differencesOf } from './file/differences.ts';
import { patchText } from './file/edit.ts';
import { configLock, lockedError } from './file/lock.ts';
import { parseConfigText } from './file/parse.ts';
import { configInvalid, type Problem } from './file/problem.ts';
import { withSecrets } from './file/secrets.ts';
import { ConfigTakers, type Take } from './file/takers.ts';
import { noTrial, onTrial, type Trial, Trials } from './file/trial.ts';
import { watchConfig } from './file/watch.ts';
import { type Config, overriddenKeys, settingsOf } from './sections.ts';
import type { Settings } from './settings.ts';

/** Long enough to sign in anew and to look; short enough to wait for. */
const defaultTrialMs = 60_000;

export class ConfigStore {
  readonly #params: ConfigStoreParams;
  readonly #file: ConfigFile;
  readonly #takers = new ConfigTakers();
  readonly #trials = new Trials();
  /** The tag must not tell anything of a secret in the text. */
  readonly #tagKey = randomBytes(32);
  readonly overridden: ReadonlyMap<string, string>;
  #onNews: (news: ConfigNews) => void = () => undefined;
  /** As it was saved and taken by all parts; the running one differs from it during a trial. */
  #text = '';
  #own!: Config;
  #current!: Config;
  #started!: Config;
  #problems: readonly Problem[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #endWatch: () => Promise<void> = async () => undefined;
  #state: 'open' | 'closed' = 'open';

  private constructor(params: ConfigStoreParams) {
    this.#params = params;
    this.#file = new ConfigFile(params);
    this.overridden = overriddenKeys(params.given);
  }

  /** Throws `config-invalid` with every problem of the file. */
  static async open(params: ConfigStoreParams): Promise<ConfigStore> {
    const store = new ConfigStore(params);
    await store.#open();
    return store;
  }

  get current(): Config {
    return this.#current;
  }

  /** What parts are made with that take some of it only at a start. */
  get settings(): Settings {
    return settingsOf(this.#current, this.#params.border);
  }

  get file(): string {
    return this.#file.path;
  }

  get history(): ConfigFile['history'] {
    return this.#file.history;
  }

  /** Of the text that is saved. */
  get text(): string {
    return this.#text;
  }

  /** Why the file on the disk is not the one that holds; empty while it is. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  get trial(): Trial | undefined {
    return this.#trials.current;
  }

  /** Keys that wait for the next start. */
  get waiting(): readonly string[] {
    const waits = differencesOf(this.#started, this.#current).filter(({ applies }) => applies === 'at the next start');
    return waits.map(({ key }) => key);
  }

  /** A part takes every change from now on; in the order in which they came here. */
  onChange(name: string, take: Take): void {
    this.#takers.add(name, take);
  }

  /** From now on changes of the file are taken up. */
  start(onNews: (news: ConfigNews) => void): void {
    this.#onNews = onNews;
    if (this.#problems.length > 0) onNews({ what: 'wrong', problems: this.#problems });
    this.#endWatch = watchConfig({
      file: this.file,
      onChange: () => void this.refresh().catch((error: unknown) => this.#trouble(error)),
      onError: (error) => this.#trouble(error),
    });
  }

  /** A change on trial ends with the service: the next start knows nothing of it. */
  async close(): Promise<void> {
    this.#state = 'closed';
    this.#trials.end();
    await this.#endWatch();
    await this.#turn;
  }

  /** Looks at the file at once. */
  refresh(): Promise<void> {
    return this.#inTurn(() => this.#refresh());
  }

  /** Looks at the file at once; of its text: what a change must name. */
  readTag(): Promise<string> {
    return this.#inTurn(async () => {
      await this.#refresh();
      return this.#tag((await this.#file.read()).text ?? '');
    });
  }

  #tag(text: string): string {
    return `"${createHmac('sha256', this.#tagKey).update(text).digest('base64url').slice(0, 22)}"`;
  }

  /** With the marks of secrets in it; nothing is changed. */
  check(text: string): Checked {
    return checkConfig(withSecrets(text, this.#text), this.#params);
  }

  /** Throws `config-locked`, `config-changed`, `config-on-trial`, `config-invalid`, `config-unwritable`, `config-refused`; then nothing has changed. */
  change(change: ConfigChange): Promise<Changed> {
    return this.#inTurn(async () => {
      const disk = await this.#prepare();
      if (change.ifMatch !== undefined && change.ifMatch !== '*' && change.ifMatch !== this.#tag(disk))
        throw new ReelError('config-changed', {
          expected: 'the tag of the configuration as it is',
          got: 'another one',
          hint: 'somebody has changed it meanwhile: read it again and repeat the change',
        });
      const text = withSecrets(change.text ?? patchText(parseConfigText(disk), change.patch ?? {}), this.#text);
      return text === disk ? { changes: [], trial: undefined } : this.#save(text, change.by, 'change');
    });
  }

  /** To a version of the history. Throws as `change` does. */
  rollback(id: number, by: string): Promise<Changed> {
    return this.#inTurn(async () => {
      await this.#prepare();
      const { text } = await this.history.get(id);
      return this.#save(text, by, 'rollback');
    });
  }

  /** What is on trial is saved and stays. Throws `not-found` where it is not that one, and as `change` does. */
  confirm(id: string): Promise<Changed> {
    return this.#inTurn(async () => {
      await this.#refuseLocked();
      await this.#refresh();
      const trial = this.trial;
      if (trial?.id !== id) throw noTrial(id);
      if (this.#problems.length > 0) throw configInvalid(this.file, this.#problems);
      const checked = this.#mustBeRight(trial.text);
      await this.#file.commit(await this.#file.stage(trial.text), trial);
      this.#trials.end();
      this.#adopt(trial.text, checked);
      this.#onNews({ what: 'changed', by: trial.by, how: trial.how, changes: trial.changes });
      return { changes: trial.changes, trial: undefined };
    });
  }

  /** What is on trial is taken back at once. Throws `not-found`. */
  cancel(id: string, by: string): Promise<void> {
    return this.#inTurn(async () => {
      if (this.trial?.id !== id) throw noTrial(id);
      await this.#endTrial(by);
    });
  }

  async #open(): Promise<void> {
    await this.#file.open();
    const former = this.#params.again === true ? await this.history.newest() : undefined;
    const { text, checked, problems } = await this.#look(former?.text ?? '');
    if (text !== undefined && checked !== undefined) {
      await this.#file.note(text);
      this.#adopt(text, checked);
    } else {
      const known = former === undefined ? undefined : checkConfig(former.text, this.#params);
      if (former === undefined || known?.own === undefined) throw configInvalid(this.file, problems);
      this.#problems = problems;
      this.#adopt(former.text, known);
    }
    this.#started = this.#current;
  }

  /** At the file. `known` is the text that it had: one that was deleted by a slip must not take accounts and rules with it. */
  async #look(known: string): Promise<{ text?: string; checked?: Checked; problems: readonly Problem[] }> {
    const { text, mode, problems } = await this.#file.read();
    if (text === undefined) return { problems };
    if (mode === undefined && known !== '') return { problems: [gone] };
    const checked = checkConfig(text, this.#params);
    return checked.own === undefined ? { problems: checked.problems } : { text, checked, problems: [] };
  }

  #adopt(text: string, { own, config }: Checked): void {
    this.#text = text;
    this.#own = own as Config;
    this.#current = config as Config;
  }

  async #refresh(): Promise<void> {
    if (this.#state === 'closed') return;
    const { text, checked, problems } = await this.#look(this.#text);
    if (text === undefined || checked === undefined) return this.#wrong(problems);
    if (text === this.#text) return this.#right();
    const { own, config } = checked as { own: Config; config: Config };
    // Who edits the file is on the machine: what was tried from afar gives way.
    if (this.trial !== undefined) await this.#endTrial('a change of the file');
    const changes = differencesOf(this.#own, own, this.overridden);
    try {
      await this.#takers.offer(config, this.#current);
    } catch (error) {
      const { parts } = toReelError(error);
      return this.#wrong([{ line: null, column: null, key: '', expected: parts.expected, got: parts.got }]);
    }
    this.#adopt(text, checked);
    this.#right();
    await this.#file.note(text).catch((error: unknown) => this.#trouble(error));
    this.#onNews({ what: 'changed', by: 'the file', how: 'file', changes });
  }

  #wrong(problems: readonly Problem[]): void {
    const isNews = JSON.stringify(problems) !== JSON.stringify(this.#problems);
    this.#problems = problems;
    if (isNews) this.#onNews({ what: 'wrong', problems });
  }

  #right(): void {
    if (this.#problems.length === 0) return;
    this.#problems = [];
    this.#onNews({ what: 'right' });
  }

  /** Before any change: the text on the disk, which is the newest that is known. */
  async #prepare(): Promise<string> {
    await this.#refuseLocked();
    await this.#refresh();
    if (this.trial !== undefined) throw onTrial(this.trial, this.#params.now());
    const { text } = await this.#file.read();
    return text ?? '';
  }

  async #refuseLocked(): Promise<void> {
    const lock = await configLock(this.file);
    if (lock !== undefined) throw lockedError(lock);
  }

  #mustBeRight(text: string): Checked {
    const checked = checkConfig(text, this.#params);
    if (checked.problems.length === 0) return checked;
    throw configInvalid(this.file, checked.problems);
  }

  async #save(text: string, by: string, how: 'change' | 'rollback'): Promise<Changed> {
    const checked = this.#mustBeRight(text);
    const changes = differencesOf(this.#own, checked.own as Config, this.overridden);
    // Before any part takes it: what cannot be saved is not begun.
    const staged = await this.#file.stage(text);
    const before = this.#current;
    try {
      await this.#takers.offer(checked.config as Config, before);
    } catch (error) {
      await staged.abandon();
      throw error;
    }
    if (changes.some(({ risky, applies }) => risky && applies === 'at once')) {
      await staged.abandon();
      this.#current = checked.config as Config;
      return this.#tryOut({ text, by, how, changes, before });
    }
    try {
      await this.#file.commit(staged, { by, how, text });
    } catch (error) {
      await this.#takers.offer(before, checked.config as Config);
      throw error;
    }
    this.#adopt(text, checked);
    this.#right();
    this.#onNews({ what: 'changed', by, how, changes });
    return { changes, trial: undefined };
  }

  #tryOut(what: Omit<Trial, 'id' | 'until'>): Changed {
    const ms = this.#params.trialMs ?? defaultTrialMs;
    const trial = { ...what, id: randomUUID(), until: this.#params.now() + ms };
    this.#trials.begin(trial, ms, () => {
      void this.#inTurn(async () => {
        if (this.trial === trial) await this.#endTrial('nobody confirmed it');
      });
    });
    this.#onNews({ what: 'trial', trial });
    return { changes: trial.changes, trial };
  }

  /** Never throws: where a part does not go back, that is told. */
  async #endTrial(why: string): Promise<void> {
    const trial = this.#trials.end();
    if (trial === undefined) return;
    const tried = this.#current;
    this.#current = trial.before;
    let failure: ReelError | null = null;
    try {
      await this.#takers.offer(trial.before, tried);
    } catch (error) {
      failure = toReelError(error);
    }
    this.#onNews({ what: 'rolled-back', trial, why, failure });
  }

  #trouble(error: unknown): void {
    this.#onNews({ what: 'trouble', error: toReelError(error) });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

const gone: Problem = { line: null, column: null, key: '', expected: 'the file to be there', got: 'none any more' };
