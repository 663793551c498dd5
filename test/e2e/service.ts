/** The whole service as an admin runs it: `reelvault serve` with directories of its own, its command line and its REST API. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import https from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { removeStorage } from './storage.ts';

const program = path.resolve(import.meta.dirname, '../../src/cli/reelvault.sh');

export interface Setup {
  /** What starts it in the place of reelvault: a program with its first arguments. */
  readonly command?: readonly [string, ...string[]];
  /** Before its first start, once its datapath is there. */
  readonly prepare?: (datapath: string) => Promise<void>;
}

/** One line of `serve --json`. */
export interface ServiceEvent {
  readonly event: 'ready' | 'started' | 'died' | 'refused' | 'stopping' | 'waiting' | 'stopped';
  readonly part?: string;
  readonly pid?: number;
  readonly url?: string;
  readonly user?: string;
  readonly password?: string;
}

export interface ApiError {
  readonly code: string;
  readonly expected: string;
  readonly got: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
  /** Of a JSON answer. */
  readonly json: unknown;
  readonly error: ApiError | undefined;
}

export interface CliResult {
  readonly exitCode: number | null;
  readonly json: unknown;
  readonly error: ApiError | undefined;
}

/** Publishers come back to the port they know, so it must be the same after a crash: not 0. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
};

export class Service {
  readonly folder: string;
  readonly events: ServiceEvent[] = [];
  readonly settings: Readonly<Record<string, string | undefined>>;
  readonly url: string;
  readonly #setup: Setup;
  /** What the service wrote to its log, and what it printed. */
  log = '';
  #password = '';
  #process: ChildProcess | undefined;
  #ended: Promise<number | null> = Promise.resolve(null);

  private constructor(folder: string, port: number, settings: Service['settings'], setup: Setup) {
    this.folder = folder;
    this.url = `https://127.0.0.1:${port}`;
    this.settings = settings;
    this.#setup = setup;
  }

  /** `settings` are further environment variables; undefined takes one of the usual ones away. Starts it. */
  static async make(settings: Service['settings'] = {}, setup: Setup = {}): Promise<Service> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-e2e-'));
    const service = new Service(folder, await freePort(), settings, setup);
    try {
      await mkdir(service.datapath);
      await setup.prepare?.(service.datapath);
      await service.start();
      return service;
    } catch (error) {
      await service.close();
      throw error;
    }
  }

  get datapath(): string {
    return path.join(this.folder, 'storage');
  }

  get runtime(): string {
    return path.join(this.folder, 'run');
  }

  get pid(): number {
    return this.#process?.pid ?? Number.NaN;
  }

  /** Process id of the part as it was last started. */
  partPid(part: 'helper' | 'daemon'): number {
    return this.events.findLast((each) => each.event === 'started' && each.part === part)?.pid ?? Number.NaN;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const [file, ...args] = this.#setup.command ?? [program];
    const child = spawn(file, [...args, '--json', 'serve'], { env: this.#environment(), detached: true });
    this.#process = child;
    this.#ended = new Promise((resolve) => child.once('close', resolve));
    child.stderr.on('data', (bytes) => (this.log += String(bytes)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.log += `${line}\n`;
      this.events.push(JSON.parse(line) as ServiceEvent);
    });
    const seen = this.events.length;
    const ready = await this.until(
      () =>
        this.events.slice(seen).find(({ event }) => event === 'ready') ??
        (child.exitCode === null ? undefined : 'ended'),
      'the service to become ready',
      90_000,
    );
    if (ready === 'ended') throw new Error(`the service did not start:\n${this.log.slice(-4000)}`);
    this.#password = ready.password ?? this.#password;
  }

  /** Sends the signal to `reelvault serve` itself. */
  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
  }

  /** Exit code of `reelvault serve`; null when a signal ended it. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  /** Makes and opens the volume `main` on the userspace engine; answers where it is mounted. `more`: further arguments. */
  async makeVolume(size = '256M', ...more: string[]): Promise<string> {
    const made = await this.cli(['volume', 'create', 'main', '--size', size, '--engine', 'userspace', ...more]);
    if (made.exitCode !== 0) throw new Error(`the volume could not be made: ${JSON.stringify(made.error)}`);
    const { json } = await this.request('GET', '/api/v1/volumes/main');
    return (json as { mountPoint: string }).mountPoint;
  }

  /** Runs `reelvault --json ARGS`. */
  async cli(args: readonly string[], stdin = ''): Promise<CliResult> {
    const child = spawn(program, ['--json', ...args], { env: this.#environment() });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    child.stdin.end(stdin);
    const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr)]);
    const exitCode = await ended;
    const parse = (bytes: Buffer): unknown => (bytes.length === 0 ? undefined : JSON.parse(bytes.toString('utf8')));
    const failure = exitCode === 0 ? undefined : (parse(stderr) as { error: ApiError });
    return { exitCode, json: parse(stdout), error: failure?.error };
  }

  /** As the admin, over HTTPS. */
  async request(method: string, target: string, body?: Buffer): Promise<Answer> {
    const headers = { authorization: this.authorization, ...(body && { 'content-type': 'application/octet-stream' }) };
    const request = https.request(new URL(target, this.url), {
      method,
      headers,
      agent: false,
      rejectUnauthorized: false,
    });
    const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject).end(body);
    });
    const bytes = await buffer(response);
    const isJson = String(response.headers['content-type']).includes('json');
    const json: unknown = isJson && bytes.length > 0 ? JSON.parse(bytes.toString('utf8')) : undefined;
    const { error } = (json ?? {}) as { error?: ApiError };
    return { status: response.statusCode ?? 0, headers: response.headers, body: bytes, json, error };
  }

  get authorization(): string {
    return `Basic ${Buffer.from(`admin:${this.#password}`).toString('base64')}`;
  }

  /** Polls until `look` gives something. Throws with the end of the log. */
  async until<T>(look: () => T | undefined | Promise<T | undefined>, what: string, timeoutMs = 30_000): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() > deadline)
        throw new Error(`expected ${what} within ${timeoutMs / 1000} s\nEnd of the log:\n${this.log.slice(-4000)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Stops the service and takes away whatever stands in its folder, however it was left. */
  async close(): Promise<void> {
    if (this.#process?.exitCode === null && this.#process.signalCode === null) {
      await this.request('POST', '/api/v1/volumes/main/lock?drain=true').catch(() => undefined);
      this.signal('SIGTERM');
      const timer = setTimeout(() => {
        this.signal('SIGINT');
        this.signal('SIGINT');
      }, 60_000);
      await this.#ended;
      clearTimeout(timer);
    }
    await removeStorage(this.folder);
    await rm(this.folder, { recursive: true, force: true });
  }

  #environment(): NodeJS.ProcessEnv {
    return {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      REELVAULT_DATAPATH: this.datapath,
      REELVAULT_STATE: path.join(this.folder, 'state'),
      REELVAULT_RUNTIME: this.runtime,
      REELVAULT_LISTEN: new URL(this.url).host,
      REELVAULT_SEGMENT_MS: '1000',
      REELVAULT_COMMIT_INTERVAL_MS: '200',
      ...this.settings,
    };
  }
}
