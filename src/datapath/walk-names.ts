import type { Stats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import path from 'node:path';

/** One name on the way: `at`, which lies in `directory`, and what it is. */
export interface NameOnTheWay {
  readonly directory: string;
  readonly at: string;
  readonly entry: Stats;
}

/** As many as the kernel follows (path_resolution(7)). */
const mostLinks = 40;

/**
 * Follows an absolute path from `/` as the kernel does, and shows each name on the way to `prove` before it goes on, those that links lead
 * over too. The answer is the path without links. Throws what `prove` throws, ENOENT where a name is missing and ELOOP for links in a
 * circle, both with the `path`.
 */
export const walkNames = async (name: string, prove: (step: NameOnTheWay) => Promise<void>): Promise<string> => {
  let current = '/';
  let links = 0;
  const parts = name.split('/').filter(Boolean);
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    if (part === '.') continue;
    if (part === '..') {
      current = path.dirname(current);
      continue;
    }
    const at = path.join(current, part);
    const entry = await lstat(at);
    await prove({ directory: current, at, entry });
    if (!entry.isSymbolicLink()) {
      current = at;
      continue;
    }
    links += 1;
    if (links > mostLinks)
      throw Object.assign(new Error(`ELOOP: links in a circle, ${at}`), { code: 'ELOOP', path: at });
    const target = await readlink(at);
    if (target.startsWith('/')) current = '/';
    parts.unshift(...target.split('/').filter(Boolean));
  }
  return current;
};
