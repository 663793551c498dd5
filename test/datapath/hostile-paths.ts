/** Paths that try to leave a directory, from a seed: the same seed gives the same paths. */
import type { Grounds } from './grounds.ts';

/** mulberry32: small and the same everywhere. Returns numbers from 0 up to, not including, 1. */
const random = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

const long = (bytes: number): string => 'n'.repeat(bytes);

/** `deep` is where a test puts a bind mount of the outside; `dir` is what the race swaps for a link. */
const parts = (grounds: Grounds): readonly string[] => [
  ...[
    'dir',
    'dir',
    'dir',
    'file',
    'harbour/deep',
    'harbour/deep',
    'harbour',
    'relative',
    'absolute',
    'to-file',
    'magic',
    'harmless',
    'loop',
    'new',
  ],
  ...[
    '..',
    '..',
    '...',
    '.',
    '',
    ' ..',
    '.. ',
    '..\0',
    '\0',
    '\n',
    '..;',
    '..\\..',
    '%2e%2e',
    '%2f',
    '․․',
    '．．',
    '／',
  ],
  ...[long(255), long(256), 'ä'.repeat(128), '\ud800', '-rf', '*', '$(id)', '`id`', '~', 'C:'],
  ...['proc', 'self', 'root', 'fd', 'cwd', 'exe', '3', String(process.pid), 'dev', 'stdin', 'etc', 'passwd', 'outside'],
  ...[grounds.outside.slice(1), grounds.inside.slice(1)],
];

const prefixes = (grounds: Grounds): readonly string[] => [
  ...['', '', '', '/', '//', './', '../', '../../', '/proc/self/root', '/proc/self/fd/0/', '/dev/fd/3/', 'file://'],
  ...[`${grounds.inside}/`, `${grounds.inside}/`, `${grounds.inside}//`, `${grounds.inside}/../inside/`],
  // shares its beginning with the inside, and is not in it
  ...[`${grounds.inside}-more/`, grounds.inside, `${grounds.outside}/`, `${grounds.top}/`],
];

export function* hostilePaths(grounds: Grounds, count: number, seed: number): Generator<string> {
  const next = random(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)] as T;
  const [heads, middle] = [prefixes(grounds), parts(grounds)];
  for (let made = 0; made < count; made += 1) {
    // now and then more parts than a path may have
    const length = next() < 0.01 ? 2_100 : 1 + Math.floor(next() * 7);
    const tail = next() < 0.1 ? '/' : '';
    yield pick(heads) + Array.from({ length }, () => pick(middle)).join('/') + tail;
  }
}
