/** The programs of Clevis, each with a time limit for all of its processes and a directory of its own for what it writes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ReelError, toReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';
import { factsOf, fromCompact, type Jwe, type Pin, toCompact } from './jwe.ts';
import type { Unattended } from './way.ts';

/** A dead server must not keep the next way waiting: with the two seconds of a process that minds no signal, five seconds at most. */
const networkMs = 3_000;
/** Chips take a second for each of some ten commands. */
const chipMs = 20_000;
/** Address space of each process: its scripts keep what a server sends in a variable, however much that is. */
const mostMemory = 512 * 1024 * 1024;
/** An answer of ours or of a server; true ones have some two kilobytes. */
const mostBytes = 64 * 1024;

const limitOf = (pin: Pin): number => (pin === 'tpm2' ? chipMs : networkMs);

const explained = (thrown: unknown, program: string): ReelError => {
  const error = toReelError(thrown);
  if (error.code !== 'command-missing' && error.details.exitCode !== 127) return error;
  return new ReelError('command-missing', {
    expected: `the command ${program}`,
    got: 'no such program',
    hint: 'install the packages clevis and clevis-luks, for a TPM also clevis-tpm2',
    cause: error,
    details: { command: program },
  });
};

const call = async (
  { env = {} }: Unattended,
  command: readonly [string, ...string[]],
  options: { readonly input?: Buffer; readonly timeoutMs: number },
): Promise<Buffer> => {
  const { TMPDIR: base = tmpdir() } = env;
  const directory = await mkdtemp(path.join(base, 'reelvault-clevis-'));
  try {
    // Without a configuration of curl's that lies in somebody's home.
    const more = { ...env, TMPDIR: directory, CURL_HOME: directory };
    const args = [`--as=${mostMemory}`, '--', ...command];
    return (await run('prlimit', args, { ...options, env: more, maxBuffer: mostBytes })).stdout;
  } catch (error) {
    throw explained(error, command[0]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

/** Wraps `key`, which stays the caller's. `config` is public and goes by argument. */
export const encrypt = async (
  unattended: Unattended,
  pin: Pin,
  config: Readonly<Record<string, unknown>>,
  key: Buffer,
): Promise<Jwe> => {
  const command = ['clevis', 'encrypt', pin, JSON.stringify(config)] as const;
  const jwe = await call(unattended, [...command], { input: key, timeoutMs: chipMs });
  return fromCompact(jwe.toString('utf8'));
};

/** The key in a binding; the caller zeroes it. Throws what the header's check and the program's end throw. */
export const decrypt = async (unattended: Unattended, jwe: Jwe): Promise<Buffer> => {
  const { pin } = factsOf(jwe.protected);
  const key = await call(unattended, ['clevis', 'decrypt'], { input: toCompact(jwe), timeoutMs: limitOf(pin) });
  if (key.length > 0) return key;
  throw new ReelError('wrong-key', { expected: 'a key from clevis', got: 'nothing' });
};

/** What a URL answers, at most 64 KiB. */
export const fetchSmall = (unattended: Unattended, url: string): Promise<Buffer> => {
  const plain = ['--disable', '--silent', '--show-error', '--fail', '--globoff', '--proto', '=http,https'] as const;
  return call(unattended, ['curl', ...plain, '--', url], { timeoutMs: networkMs });
};
