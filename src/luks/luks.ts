/** LUKS containers by cryptsetup: one object, typed calls, errors of ours. Works without device-mapper, but for the mappings. */
import type { Cryptsetup } from './calls.ts';
import { type CryptsetupParams, CryptsetupProgram } from './cryptsetup.ts';
import { dump, isLuks } from './dump.ts';
import { erase, format, headerBackup, headerRestore, repair } from './header.ts';
import { addKey, changeKey, removeKey, removeSlot, testKey } from './keyslots.ts';
import { closeMapping, mappingStatus, type OpenOptions, openMapping, resizeMapping } from './mapping.ts';
import { beginReencryption, continueReencryption, type Rewritten, recoverReencryption } from './reencryption.ts';
import type { MappingStatus } from './status.ts';
import { exportToken, type GuardState, importToken, removeToken, writeGuard } from './tokens.ts';
import type { FormatOptions, LuksDump, LuksType, Pbkdf, Token } from './types.ts';

export { pbkdfForPhrase, pbkdfForRandomKey } from './pbkdf.ts';
export { guardOf } from './tokens.ts';

/**
 * Keys are bytes that the caller owns and zeroes; they reach cryptsetup on stdin only. Paths are absolute and already checked: the
 * datapath's jail is above. One caller a container at a time: cryptsetup locks the header for a call, not for a sequence of them.
 */
export class Luks {
  readonly #cryptsetup: CryptsetupProgram;
  readonly #env: Readonly<Record<string, string>>;

  constructor(params: CryptsetupParams = {}) {
    this.#env = params.env ?? {};
    this.#cryptsetup = new CryptsetupProgram(params);
  }

  /** Runs `derive` when no other key derivation of this process runs: for programs that take a key themselves. */
  exclusive<T>(derive: () => Promise<T>): Promise<T> {
    return this.#cryptsetup.gate.run(derive);
  }

  format(file: string, key: Buffer, options: FormatOptions): Promise<LuksDump> {
    return format(this.#cryptsetup, file, key, options);
  }

  isLuks(file: string): Promise<LuksType | null> {
    return isLuks(this.#cryptsetup, file);
  }

  dump(file: string): Promise<LuksDump> {
    return dump(this.#cryptsetup, file);
  }

  testKey(file: string, key: Buffer, slot?: number): Promise<number> {
    return testKey(this.#cryptsetup, file, key, slot);
  }

  addKey(file: string, key: Buffer, newKey: Buffer, pbkdf: Pbkdf): Promise<number> {
    return addKey(this.#cryptsetup, file, key, newKey, pbkdf);
  }

  changeKey(file: string, key: Buffer, newKey: Buffer, pbkdf: Pbkdf): Promise<number> {
    return changeKey(this.#cryptsetup, file, key, newKey, pbkdf);
  }

  removeKey(file: string, key: Buffer): Promise<number> {
    return removeKey(this.#cryptsetup, file, key);
  }

  removeSlot(file: string, slot: number): Promise<void> {
    return removeSlot(this.#cryptsetup, file, slot);
  }

  headerBackup(file: string, target: string): Promise<void> {
    return headerBackup(this.#cryptsetup, file, target);
  }

  headerRestore(file: string, backup: string): Promise<LuksDump> {
    return headerRestore(this.#cryptsetup, file, backup);
  }

  repair(file: string): Promise<LuksDump> {
    return repair(this.#cryptsetup, file);
  }

  erase(file: string): Promise<readonly number[]> {
    return erase(this.#cryptsetup, file);
  }

  beginReencryption(...args: Tail<typeof beginReencryption>): Promise<void> {
    return beginReencryption(this.#cryptsetup, ...args);
  }

  recoverReencryption(file: string, key: Buffer): Promise<void> {
    return recoverReencryption(this.#cryptsetup, file, key);
  }

  /** `output`: the file that gets its progress. */
  continueReencryption(what: Rewritten, key: Buffer, output: string): Promise<void> {
    return continueReencryption(what, key, { output, env: this.#env });
  }

  importToken(...args: Tail<typeof importToken>): Promise<number> {
    return importToken(this.#cryptsetup, ...args);
  }

  exportToken(file: string, id: number): Promise<Token> {
    return exportToken(this.#cryptsetup, file, id);
  }

  removeToken(file: string, id: number): Promise<void> {
    return removeToken(this.#cryptsetup, file, id);
  }

  writeGuard(file: string, state: GuardState): Promise<void> {
    return writeGuard(this.#cryptsetup, file, state);
  }

  open(options: OpenOptions): Promise<void> {
    return openMapping(this.#cryptsetup, options);
  }

  close(name: string): Promise<boolean> {
    return closeMapping(this.#cryptsetup, name);
  }

  status(name: string): Promise<MappingStatus | null> {
    return mappingStatus(this.#cryptsetup, name);
  }

  resize(name: string): Promise<void> {
    return resizeMapping(this.#cryptsetup, name);
  }
}

type Tail<F extends (first: Cryptsetup, ...rest: never[]) => unknown> = F extends (
  first: Cryptsetup,
  ...rest: infer R
) => unknown
  ? R
  : never;
