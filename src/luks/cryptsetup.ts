import { type RunOptions, type RunResult, run } from '../exec/run.ts';
import type { Cryptsetup, Subject } from './calls.ts';
import { explain } from './explain.ts';
import { KdfGate } from './kdf-gate.ts';

export interface CryptsetupParams {
  /** Added to the environment of each call. */
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds for calls that only read or write the header. */
  readonly timeoutMs?: number;
  /** Milliseconds for calls that derive keys: a wrong passphrase costs one derivation for each keyslot. */
  readonly kdfTimeoutMs?: number;
}

/** Runs the cryptsetup program: batch mode, no terminal. */
export class CryptsetupProgram implements Cryptsetup {
  /** Held during each key derivation; whoever derives keys by other means (luksblock) goes through it too. */
  readonly gate = new KdfGate();
  readonly #env: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;
  readonly #kdfTimeoutMs: number;

  constructor({ env = {}, timeoutMs = 60_000, kdfTimeoutMs = 300_000 }: CryptsetupParams = {}) {
    this.#env = env;
    this.#timeoutMs = timeoutMs;
    this.#kdfTimeoutMs = kdfTimeoutMs;
  }

  call(args: readonly string[], subject: Subject, okCodes: readonly number[] = [0]): Promise<RunResult> {
    return this.#run(args, subject, { timeoutMs: this.#timeoutMs, okCodes });
  }

  withKey(args: readonly string[], key: Buffer, subject: Subject): Promise<RunResult> {
    const options = { timeoutMs: this.#kdfTimeoutMs, input: key };
    return this.gate.run(() => this.#run(['--verbose', ...args], subject, options));
  }

  withInput(args: readonly string[], input: Buffer, subject: Subject): Promise<RunResult> {
    return this.#run(['--verbose', ...args], subject, { timeoutMs: this.#timeoutMs, input });
  }

  async #run(args: readonly string[], subject: Subject, options: RunOptions): Promise<RunResult> {
    try {
      return await run('cryptsetup', ['--batch-mode', ...args], { env: this.#env, ...options });
    } catch (error) {
      throw await explain(error, subject, this);
    }
  }
}
