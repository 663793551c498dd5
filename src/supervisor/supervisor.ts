/**
 * Keeps the helper (root) and the daemon (service user, confined by the launcher) running. Volumes are no children of it: they stay open
 * and mounted when it ends, however it ends. Started without root it runs the daemon alone, for a helper that something else started.
 */
import { access } from 'node:fs/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureAdmin, removeAdmin } from '../auth/admin-store.ts';
import { configFileOf, settingsToEnvironment } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import { answersOn } from '../config/unix-socket.ts';
import { handOver } from '../daemon/hand-over.ts';
import { ReelError } from '../errors.ts';
import { readWebhookFiles } from '../events/webhook/files.ts';
import { systemPath } from '../exec/environment.ts';
import { configGrant } from './config-grant.ts';
import { prepareDirectories } from './directories.ts';
import { Part, type PartEvent, type PartParams, type ReadyLine } from './part.ts';
import { type Account, ensureServiceUser } from './service-user.ts';

export interface SupervisorParams {
  readonly settings: Settings;
  /** Those that go before the configuration file; without it those that are not the default. */
  readonly given?: ReadonlySet<string>;
  /** Where the logs of the parts go. */
  readonly log: Writable;
  readonly onEvent: (event: PartEvent) => void;
}

export interface Started {
  /** Without a slash at its end. */
  readonly url: string;
  readonly certificateFile: string;
  readonly fingerprint: string;
  readonly user: string;
  /** Only when this start made the account: it is kept nowhere. */
  readonly password?: string;
}

const programRoot = path.resolve(import.meta.dirname, '../..');
const backoff = { first: 250, longest: 10_000, soon: 10_000 };
const readyTimeoutMs = 60_000;
/** A daemon whose supervisor was killed ends by itself; this long the next start waits for that. */
const formerDaemonMs = 15_000;

/**
 * What the helper keeps of memory it no longer uses. Of about 20 MiB of live JavaScript, V8 would let garbage lie in proportion to the
 * machine's memory, and glibc raises its own thresholds with each large buffer and then gives little back: in a process of root that runs
 * for years. A heap that reaches its ceiling (MiB) ends the helper, which is started again as after any other end.
 */
const heapLimits = ['--max-old-space-size=256', '--max-semi-space-size=4'];
const allocatorLimits = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
};

/** What a part gets beside the settings. */
interface Given extends Pick<PartParams, 'input'> {
  readonly added?: Readonly<Record<string, string>>;
}

/** Once, for every start of the daemon: one that comes up again at night does not depend on a file. */
const readHandedOver = async (settings: Settings): Promise<Buffer | undefined> => {
  const files = await readWebhookFiles(settings);
  if (files === undefined) return undefined;
  try {
    return handOver(files);
  } finally {
    files.secrets.fill(0);
  }
};

/** Where the machine keeps what opens volumes without an admin. The helper's alone: names of a directory and of a device, no secrets. */
const unlockEnvironment = (): Record<string, string> =>
  Object.fromEntries(
    ['CREDENTIALS_DIRECTORY', 'TPM2TOOLS_TCTI'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

export class Supervisor {
  readonly #params: SupervisorParams;
  readonly #parts: Part[] = [];
  #stopping: Promise<void> | undefined;
  #waitingFor: string | undefined;
  /** Holds the webhook's secret: zeroed at the end. */
  #handedOver: Buffer | undefined;
  /** Where the daemon listens. One that is started again must be found where the first one was, also when any port would do. */
  #listenPort: number;

  constructor(params: SupervisorParams) {
    this.#params = params;
    this.#listenPort = params.settings.listenPort;
  }

  /** Resolves when the daemon answers. Whatever was started is stopped again when this fails. */
  async start(): Promise<Started> {
    const { settings } = this.#params;
    const root = process.getuid?.() === 0;
    this.#handedOver = await readHandedOver(settings);
    const service = root ? await ensureServiceUser(settings.serviceUser) : undefined;
    if (service !== undefined) await prepareDirectories(settings, service);
    await this.#awaitFormerDaemon();
    const admin = await ensureAdmin(settings.state, service);
    try {
      if (service !== undefined) await this.#launchHelper(service);
      const ready = await this.#launchDaemon(service);
      const text = (name: string): string => String(ready[name]);
      this.#listenPort = Number(new URL(text('url')).port || 443);
      return { url: text('url'), certificateFile: text('certificateFile'), fingerprint: text('fingerprint'), ...admin };
    } catch (error) {
      await this.stop();
      // Nobody was told the new password: the next start makes another one.
      if (admin.password !== undefined) await removeAdmin(settings.state);
      throw error;
    }
  }

  /** Process ids of the running parts, by name. */
  get pids(): Readonly<Record<string, number | undefined>> {
    return Object.fromEntries(this.#parts.map((part) => [part.name, part.pid]));
  }

  /** What a stop is waiting for now, in words. */
  get waitingFor(): string | undefined {
    return this.#waitingFor;
  }

  /**
   * The daemon first: it takes no new publishers, lets every session end with all of it durable, and closes. Then the helper. A part that
   * has not ended after 60 s is killed; what was acknowledged is on disk by then in any case. Idempotent.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends the parts at once. What was acknowledged is on disk; what was not is lost. */
  async kill(): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.stop(0)));
  }

  async #stop(): Promise<void> {
    for (const part of this.#parts.toReversed()) {
      this.#waitingFor = `the ${part.name} (process ${part.pid ?? 'none'}) to end`;
      await part.stop(60_000);
    }
    this.#waitingFor = undefined;
    this.#handedOver?.fill(0);
  }

  async #launchHelper({ uid, gid }: Account): Promise<void> {
    const program = path.join(programRoot, 'src/helper/main.ts');
    const args = [...heapLimits, program, '--uid', String(uid), '--gid', String(gid)];
    await this.#launch('helper', process.execPath, args, { added: { ...unlockEnvironment(), ...allocatorLimits } });
  }

  async #launchDaemon(service: Account | undefined): Promise<ReadyLine> {
    const command = [process.execPath, path.join(programRoot, 'src/main.ts')];
    const given = this.#handedOver === undefined ? {} : { input: this.#handedOver };
    if (service === undefined) return this.#launch('daemon', process.execPath, command.slice(1), given);
    const { settings } = this.#params;
    const { datapath, state, runtime, serviceUser } = settings;
    const config = await configGrant(configFileOf(settings), settings, service.uid);
    const launcher = path.join(programRoot, 'build/Release/launcher');
    const writable = [...datapath, state, runtime].flatMap((directory) => ['--rw', directory]);
    const readable = [programRoot, path.dirname(process.execPath)].flatMap((directory) => ['--ro', directory]);
    const mounts = datapath.flatMap((directory) => ['--detach-mounts', directory]);
    const confinement = ['--user', serviceUser, ...readable, ...writable, ...config, ...mounts, '--chdir', state];
    return this.#launch('daemon', launcher, [...confinement, '--', ...command], given);
  }

  async #launch(
    name: string,
    command: string,
    args: readonly string[],
    { added = {}, ...input }: Given,
  ): Promise<ReadyLine> {
    await access(command).catch((cause: unknown) => {
      const hint = `run 'npm run bootstrap' in ${programRoot}`;
      throw new ReelError('command-missing', { expected: `the program ${command}`, got: 'no such file', hint, cause });
    });
    if (this.#stopping !== undefined)
      throw new ReelError('not-running', { expected: 'to start', got: 'the order to stop' });
    const { settings, given, log, onEvent } = this.#params;
    let again: Record<string, string> = {};
    const env = (): Record<string, string> => {
      const now = settingsToEnvironment({ ...settings, listenPort: this.#listenPort }, given);
      return { PATH: systemPath, LC_ALL: 'C', ...now, ...again, ...added };
    };
    const part = new Part({ name, command, args, env, cwd: '/', ...input, log, onEvent, backoff, readyTimeoutMs });
    this.#parts.push(part);
    const ready = await part.start();
    // One that is started again at night takes the configuration that it had, where the file is wrong by then.
    again = { REELVAULT_AGAIN: '1' };
    return ready;
  }

  /** Throws `already-exists` when another service has the same directories. */
  async #awaitFormerDaemon(): Promise<void> {
    const socket = path.join(this.#params.settings.runtime, 'admin.sock');
    const deadline = performance.now() + formerDaemonMs;
    while (await answersOn(socket)) {
      if (performance.now() > deadline) {
        throw new ReelError('already-exists', {
          expected: `nobody on ${socket}`,
          got: 'a service that is running already',
        });
      }
      await sleep(100);
    }
  }
}
