import { availableParallelism } from 'node:os';
import { ReelError } from '../errors.ts';
import { usableMemory } from './memory-limit.ts';
import type { LuksType, Pbkdf } from './types.ts';

const kib = 1024;
/** Below this Argon2id no longer hinders guessing much (OWASP's least is 19 MiB); better no container than a weak one. */
const leastMemoryKiB = 16 * 1024;
/** cryptsetup's own default ceiling. */
const mostMemoryKiB = 1024 * 1024;

/**
 * For people's phrases: Argon2id of about 2 s, with at most a quarter of the memory this process may use, because the cost is
 * fixed at format and has to be paid at every open, also beside other work. LUKS1 has PBKDF2 only.
 * Throws `out-of-memory` where even the least sensible cost does not fit.
 */
export const pbkdfForPhrase = async (type: LuksType, usable: () => Promise<number> = usableMemory): Promise<Pbkdf> => {
  if (type === 'luks1') return { type: 'pbkdf2', timeMs: 2_000 };
  const quarterKiB = Math.floor((await usable()) / 4 / kib);
  if (quarterKiB < leastMemoryKiB) {
    throw new ReelError('out-of-memory', {
      expected: `at least ${(leastMemoryKiB * 4) / kib} MiB of memory to protect a passphrase`,
      got: `${Math.floor((quarterKiB * 4) / kib)} MiB`,
      hint: 'raise the memory limit, or use a random key file',
    });
  }
  return {
    type: 'argon2id',
    memoryKiB: Math.min(quarterKiB, mostMemoryKiB),
    parallel: Math.min(4, availableParallelism()),
    timeMs: 2_000,
  };
};

/** For random keys of 256 bits and more: nobody guesses those, so a slow derivation would only delay every open. */
export const pbkdfForRandomKey: Pbkdf = { type: 'pbkdf2', iterations: 100_000 };

/** cryptsetup's options for `pbkdf`; LUKS1 takes no `--pbkdf`, it knows PBKDF2 alone. */
export const pbkdfArgs = (type: LuksType, pbkdf: Pbkdf): string[] => {
  if (type === 'luks1' && pbkdf.type !== 'pbkdf2') {
    throw new ReelError('invalid-argument', { expected: 'pbkdf2 for LUKS1', got: pbkdf.type });
  }
  const cost =
    'iterations' in pbkdf
      ? ['--pbkdf-force-iterations', String(pbkdf.iterations)]
      : ['--iter-time', String(pbkdf.timeMs)];
  if (type === 'luks1') return cost;
  if (pbkdf.type === 'pbkdf2') return ['--pbkdf', 'pbkdf2', ...cost];
  const memory = ['--pbkdf-memory', String(pbkdf.memoryKiB), '--pbkdf-parallel', String(pbkdf.parallel)];
  return ['--pbkdf', 'argon2id', ...memory, ...cost];
};
