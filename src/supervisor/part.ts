/** One process that the supervisor keeps alive: started, watched, started again when it dies, and told to stop. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { errorFromWire, ReelError, type WireError } from '../errors.ts';

export interface PartParams {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Asked for at every start. */
  readonly env: () => Readonly<Record<string, string>>;
  readonly cwd: string;
  /** The first bytes of the part's standard input, at every start: they stay the caller's. Nothing follows them. */
  readonly input?: Uint8Array;
  /** Where the part's log (its stderr) goes. */
  readonly log: Writable;
  readonly onEvent: (event: PartEvent) => void;
  /** Milliseconds; the pause doubles from `first` to `longest` while the part keeps dying within `soon` of its start. */
  readonly backoff: { readonly first: number; readonly longest: number; readonly soon: number };
  readonly readyTimeoutMs: number;
}

export type PartEvent =
  | { readonly event: 'started'; readonly part: string; readonly pid: number }
  | { readonly event: 'died'; readonly part: string; readonly how: string; readonly againInMs: number }
  | { readonly event: 'refused'; readonly part: string; readonly how: string; readonly againInMs: number };

/** The first line a part prints on stdout: `{"ready":true,…}`, or `{"ready":false,"error":…}` when it cannot run. */
export interface ReadyLine {
  readonly ready: boolean;
  readonly [fact: string]: unknown;
}

export class Part {
  readonly #params: PartParams;
  #goal: 'up' | 'down' = 'down';
  #child: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #pauseMs: number;

  constructor(params: PartParams) {
    this.#params = params;
    this.#pauseMs = params.backoff.first;
  }

  get name(): string {
    return this.#params.name;
  }

  /** Of the running process. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the part is ready. One that does not come up this first time is not tried again: its error is thrown. */
  async start(): Promise<ReadyLine> {
    this.#goal = 'up';
    try {
      return await this.#launch();
    } catch (error) {
      await this.stop(0);
      throw error;
    }
  }

  /** SIGTERM, then SIGKILL after `graceMs` (0: at once). Resolves when the process is gone and will not come back. Idempotent. */
  async stop(graceMs: number): Promise<void> {
    this.#goal = 'down';
    clearTimeout(this.#timer);
    this.#child?.kill(graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), graceMs);
    await this.#ended;
    clearTimeout(timer);
  }

  async #launch(): Promise<ReadyLine> {
    const { command, args, env, cwd, input, log, name, onEvent } = this.#params;
    // A session of its own: Ctrl-C at the terminal reaches the supervisor only. Stdin is a pipe that ends with the supervisor, however
    // that ends: the part then stops by itself.
    const child = spawn(command, args, { cwd, env: env(), detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    // A part that has ended does not read it; that is told by `close` below.
    child.stdin.on('error', () => undefined);
    if (input !== undefined) child.stdin.write(input);
    child.stderr.pipe(log, { end: false });
    const startedAt = performance.now();
    const ended = once(child, 'close').then(
      ([code, signal]) => (signal === null ? `exit code ${code}` : `signal ${signal}`),
      (error: NodeJS.ErrnoException) => error.code ?? error.message,
    );
    let ready = false;
    this.#ended = ended.then((how) => {
      this.#child = undefined;
      if (this.#goal === 'up' && ready) this.#again('died', how, performance.now() - startedAt);
    });
    const line = await this.#firstLine(child, ended);
    ready = true;
    onEvent({ event: 'started', part: name, pid: child.pid ?? 0 });
    return line;
  }

  async #firstLine(child: ChildProcess, ended: Promise<string>): Promise<ReadyLine> {
    const { name, readyTimeoutMs } = this.#params;
    // Read on after the first line too: a full pipe would block the part.
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    const first = once(lines, 'line').then(([text]) => String(text));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(resolve, readyTimeoutMs, `nothing for ${readyTimeoutMs} ms`);
    });
    try {
      const got = await Promise.race([first.then((text) => ({ text })), ended, late]);
      if (typeof got === 'string') throw notReady(name, got);
      return parseReady(name, got.text);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    } finally {
      clearTimeout(timer);
      first.catch(() => undefined);
    }
  }

  /** A part that ran for long is started again soon; one that keeps dying waits longer each time. */
  #again(event: 'died' | 'refused', how: string, livedMs: number): void {
    const { backoff, name, onEvent } = this.#params;
    if (livedMs >= backoff.soon) this.#pauseMs = backoff.first;
    const againInMs = this.#pauseMs;
    this.#pauseMs = Math.min(this.#pauseMs * 2, backoff.longest);
    onEvent({ event, part: name, how, againInMs });
    this.#timer = setTimeout(() => void this.#relaunch(), againInMs);
  }

  async #relaunch(): Promise<void> {
    try {
      await this.#launch();
    } catch (error) {
      await this.#ended;
      if (this.#goal === 'up') this.#again('refused', (error as Error).message, 0);
    }
  }
}

const notReady = (name: string, got: string): ReelError =>
  new ReelError('not-running', {
    expected: `the ${name} to become ready`,
    got,
    hint: 'its log has the reason',
    details: { part: name },
  });

/** Throws the part's own error where it says that it cannot run. */
const parseReady = (name: string, text: string): ReadyLine => {
  const line = parseLine(text);
  if (line.ready === true) return { ...line, ready: true };
  if (line.error !== undefined) throw errorFromWire(line.error);
  throw notReady(name, `the line ${JSON.stringify(text.slice(0, 200))}`);
};

/** What is no JSON object counts as an empty one. */
const parseLine = (text: string): { ready?: boolean; error?: WireError } => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
};
