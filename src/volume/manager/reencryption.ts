import type { Logger } from 'pino';
import { ReelError, toReelError } from '../../errors.ts';
import type { ReencryptReport } from '../../helper/protocol/reencrypt.ts';
import type { Requests } from '../../helper/protocol.ts';
import { repeat } from '../repeat.ts';
import type { VolumeHooks } from './hooks.ts';
import type { VolumeManager } from './manager.ts';
import type { Turn } from './turn.ts';

export interface VolumeReencryptionParams {
  readonly manager: VolumeManager;
  readonly log: Logger;
  /** Milliseconds between two looks at those that run. */
  readonly watchIntervalMs?: number;
}

const whole = ({ volume }: Turn): Pick<Requests['reencrypt-status'], 'name' | 'container' | 'uuid'> => {
  const { name, container, uuid } = volume.record;
  return { name, container, ...(uuid === null ? {} : { uuid }) };
};
const by = (secret: Buffer | undefined): 'passphrase' | 'keyFile' => (secret === undefined ? 'keyFile' : 'passphrase');
const given = (secret: Buffer | undefined): Buffer[] => (secret === undefined ? [] : [secret]);

/**
 * New volume keys for the volumes. The work is done by processes that outlive helper and daemon; this follows them, tells how far they are and
 * does what comes after. Secrets are the caller's, who zeroes them; without one the volume's key file is used.
 */
export class VolumeReencryption {
  readonly #params: VolumeReencryptionParams;
  /** Volumes that may be at it, with the tenths of it that were told; -1 until it is known. */
  readonly #followed = new Map<string, number>();
  #endWatch: () => Promise<void> = async () => {};

  constructor(params: VolumeReencryptionParams) {
    this.#params = params;
  }

  /** An open goes on with what was under way. */
  readonly hooks: VolumeHooks = {
    onOpen: async ({ name }) => {
      if (!this.#followed.has(name)) this.#followed.set(name, -1);
    },
  };

  /** After the manager's. Follows what a former daemon began, and resumes what was cut short where a key file opens the volume. */
  start(): void {
    for (const { name } of this.#params.manager.list()) this.#followed.set(name, -1);
    this.#endWatch = repeat(this.#params.watchIntervalMs ?? 1000, () => this.#watch());
  }

  /** Idempotent. The work goes on. */
  async close(): Promise<void> {
    await this.#endWatch();
  }

  /** Throws `not-found`. */
  status(name: string): Promise<ReencryptReport> {
    return this.#params.manager.exclusive(name, (turn) => this.#status(turn));
  }

  /** Answers when the work is under way; idempotent while it is. Throws `volume-state` unless the volume is locked or open with the kernel engine. */
  begin(name: string, options: { readonly dropOtherKeys: boolean }, current?: Buffer): Promise<ReencryptReport> {
    return this.#params.manager.exclusive(name, async (turn) => {
      const request = { verb: 'reencrypt-start', ...whole(turn), current: by(current), ...options } as const;
      const report = this.#follow(turn, (await turn.helper.call(request, ...given(current))).result);
      await this.#note(turn);
      return report;
    });
  }

  resume(name: string, current?: Buffer): Promise<ReencryptReport> {
    return this.#params.manager.exclusive(name, (turn) => this.#resume(turn, current));
  }

  async #status(turn: Turn): Promise<ReencryptReport> {
    return (await turn.helper.call({ verb: 'reencrypt-status', ...whole(turn) })).result;
  }

  async #resume(turn: Turn, current?: Buffer): Promise<ReencryptReport> {
    const request = { verb: 'reencrypt-resume', ...whole(turn), current: by(current) } as const;
    const report = this.#follow(turn, (await turn.helper.call(request, ...given(current))).result);
    await this.#note(turn);
    return report;
  }

  /** What the volume shows of its header; an open one is not adopted anew for that. What cannot be looked at stays as it was. */
  async #note({ volume, helper }: Turn): Promise<void> {
    const { name, container } = volume.record;
    try {
      const { result } = await helper.call({ verb: 'inspect', name, container, descriptor: false });
      volume.noteHeader(result.header);
    } catch (thrown) {
      this.#params.log.warn({ volume: name, err: toReelError(thrown) }, 'a volume could not be looked at');
    }
  }

  #follow(turn: Turn, report: ReencryptReport): ReencryptReport {
    const { name } = turn.volume.record;
    if (report.state !== 'running' || (this.#followed.get(name) ?? -1) >= 0) return report;
    this.#followed.set(name, 0);
    turn.tell({ type: 'volume.reencrypt.running', volume: name });
    return report;
  }

  async #watch(): Promise<void> {
    const { manager, log } = this.#params;
    for (const name of this.#followed.keys()) {
      await manager
        .exclusive(name, (turn) => this.#look(turn))
        .catch((thrown: unknown) => {
          const error = toReelError(thrown);
          // Without a helper nothing is known; whatever else is wrong with it is the volume's own state to tell.
          if (error.code === 'helper-unavailable') return;
          this.#followed.delete(name);
          if (error.code !== 'not-found') log.warn({ volume: name, err: error }, 'a reencryption cannot be followed');
        });
    }
  }

  async #look(turn: Turn): Promise<void> {
    const { name } = turn.volume.record;
    const report = await this.#status(turn);
    const told = this.#followed.get(name) ?? 0;
    if (report.state === 'running') {
      if (told < 0) turn.tell({ type: 'volume.reencrypt.running', volume: name });
      const { doneBytes = 0, totalBytes = 1, remainingMs = 0 } = report.progress ?? {};
      const tenths = Math.floor((10 * doneBytes) / totalBytes);
      if (tenths > Math.max(told, 0))
        turn.tell({ type: 'volume.reencrypt.progress', volume: name, doneBytes, totalBytes, remainingMs });
      this.#followed.set(name, Math.max(tenths, told, 0));
      return;
    }
    this.#followed.delete(name);
    if (report.state === 'rewritten') await this.#finish(turn);
    else if (told >= 0) await this.#note(turn);
    if (report.state === 'unfinished') await this.#stopped(turn, report, told < 0);
  }

  async #finish(turn: Turn): Promise<void> {
    const { name } = turn.volume.record;
    const { result } = await turn.helper.call({ verb: 'reencrypt-finish', ...whole(turn) });
    if (result.keyFileRemoved) {
      turn.volume.record = { ...turn.volume.record, key: 'passphrase' };
      await turn.save();
    }
    await this.#note(turn);
    turn.tell({ type: 'volume.reencrypt.finished', volume: name, keyFileRemoved: result.keyFileRemoved });
  }

  /** Ended in the middle. Found so at the start and openable without anybody's help, it is resumed, once. */
  async #stopped(turn: Turn, { problem }: ReencryptReport, atStart: boolean): Promise<void> {
    const { name, key } = turn.volume.record;
    if (atStart && key === 'keyFile') {
      await this.#resume(turn);
      return;
    }
    const error = new ReelError('reencryption-unfinished', {
      expected: `the reencryption of ${name} to go on`,
      got: problem ?? 'an end in the middle',
      hint: `run \`reelvault volume reencrypt resume ${name}\``,
    });
    this.#params.log.error({ volume: name, err: error }, 'a reencryption stopped');
    turn.tell({ type: 'volume.reencrypt.stopped', volume: name, code: error.code, reason: error.message });
  }
}
