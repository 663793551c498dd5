/** A real service for tests, started through the CLI's own script: own directories, own port, gone at the end whatever happened. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';

const script = path.resolve(import.meta.dirname, '../../src/cli/reelvault.sh');

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Line {
  readonly event: string;
  readonly part?: string;
  readonly pid?: number;
  readonly url?: string;
  readonly password?: string;
  readonly certificateFile?: string;
  readonly leftOpen?: { name: string; mountPoint: string }[];
}

export class TestService {
  readonly base: string;
  readonly env: NodeJS.ProcessEnv;
  readonly lines: Line[] = [];
  log = '';
  #child: ChildProcess | undefined;
  readonly #waiting: { fits: (line: Line) => boolean; resolve: (line: Line) => void }[] = [];
  #closed: Promise<unknown> = Promise.resolve();

  private constructor(base: string) {
    this.base = base;
    const { PATH, HOME } = process.env;
    this.env = {
      PATH,
      HOME,
      REELVAULT_DATAPATH: `${base}/storage`,
      REELVAULT_STATE: `${base}/state`,
      REELVAULT_RUNTIME: `${base}/run`,
      REELVAULT_LISTEN: '127.0.0.1:0',
      REELVAULT_LOG: 'debug',
    };
  }

  static async create(): Promise<TestService> {
    const base = await mkdtemp('/var/tmp/reelvault-cli-');
    // Through a link: the script must find its checkout nevertheless.
    await symlink(script, `${base}/reelvault`);
    await mkdir(`${base}/storage`);
    return new TestService(base);
  }

  /** Resolves when the service says that it is ready. */
  async start(): Promise<Line> {
    const child = spawn(`${this.base}/reelvault`, ['serve', '--json'], {
      env: this.env,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#closed = once(child, 'close');
    child.stderr.on('data', (piece: Buffer) => {
      this.log += piece.toString();
    });
    createInterface({ input: child.stdout }).on('line', (text) => {
      this.log += `${text}\n`;
      const line = JSON.parse(text) as Line;
      this.lines.push(line);
      for (const one of this.#waiting) if (one.fits(line)) one.resolve(line);
    });
    const ready = this.next((line) => line.event === 'ready');
    const ended = this.#closed.then(() => {
      throw new Error(`the service ended: ${this.log.slice(-3000)}`);
    });
    try {
      return await Promise.race([ready, ended]);
    } finally {
      ended.catch(() => undefined);
    }
  }

  next(fits: (line: Line) => boolean): Promise<Line> {
    return new Promise((resolve) => this.#waiting.push({ fits, resolve }));
  }

  pidOf(part: string): number {
    return this.lines.findLast((line) => line.event === 'started' && line.part === part)?.pid ?? 0;
  }

  get url(): string {
    return this.lines.findLast((line) => line.event === 'ready')?.url ?? '';
  }

  /** Of the supervisor. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.#child?.kill(signal);
    await this.#closed;
    return this.#child?.exitCode ?? null;
  }

  /** Runs the CLI against this service. */
  run(args: readonly string[], input = ''): Promise<Outcome> {
    return new Promise((resolve) => {
      const child = execFile(`${this.base}/reelvault`, args, { env: this.env, cwd: '/' }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      });
      child.stdin?.end(input);
    });
  }

  async mounts(): Promise<string[]> {
    const text = await readFile('/proc/self/mountinfo', 'utf8');
    return text.split('\n').filter((line) => line.includes(this.base));
  }

  /** Locks what is open, ends the service, removes the directories. */
  async destroy(volumes: readonly string[]): Promise<void> {
    if (this.#child?.exitCode !== null || this.#child.signalCode !== null) await this.start();
    for (const volume of volumes) await this.run(['volume', 'lock', volume, '--drain']);
    await this.end('SIGTERM');
    // The mount points are immutable, so that nothing is recorded into them by mistake.
    await new Promise((resolve) => execFile('chattr', ['-R', '-i', `${this.base}/storage`], resolve));
    await rm(this.base, { recursive: true, force: true });
  }
}
