/** Paths that try to leave a directory, from a seed: the same seed gives the same paths. */
import { randomOf } from '../random.ts';
import type { Grounds } from './grounds.ts';

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
  const next = randomOf(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)] as T;
  const [heads, middle] = [prefixes(grounds), parts(grounds)];
  for (let made = 0; made < count; made += 1) {
    // now and then more parts than a path may have
    const length = next() < 0.01 ? 2_100 : 1 + Math.floor(next() * 7);
    const tail = next() < 0.1 ? '/' : '';
    yield pick(heads) + Array.from({ length }, () => pick(middle)).join('/') + tail;
  }
}
