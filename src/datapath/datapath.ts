import { constants, openSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { ReelError } from '../errors.ts';
import { Jail } from './jail.ts';
import { checkAbsolute } from './path-rules.ts';

/** A top directory of the datapath. */
export interface Root {
  /** Absolute, links resolved. */
  readonly path: string;
  /** Everything below it; mounts below are entered, because admins mount disks there. */
  readonly jail: Jail;
}

/** A path from outside that has been proven to lie below a root. */
export interface Resolved {
  readonly root: Root;
  /** Relative to the root; for `root.jail`. */
  readonly relative: string;
}

const invalid = (expected: string, got: string, cause?: unknown): ReelError =>
  new ReelError('config-invalid', { expected, got, hint: 'look at REELVAULT_DATAPATH', cause });

const openRoot = (name: string): Root => {
  checkAbsolute(name);
  if (name === '/') throw invalid('a directory below / for the datapath', '/ itself');
  try {
    const real = realpathSync(name);
    const fd = openSync(real, constants.O_RDONLY | constants.O_DIRECTORY);
    return { path: real, jail: new Jail({ fd, label: `datapath ${real}`, crossMounts: true }) };
  } catch (cause) {
    throw invalid(`the datapath directory ${name}`, (cause as NodeJS.ErrnoException).code ?? String(cause), cause);
  }
};

const isBelow = (top: string, name: string): boolean => name === top || name.startsWith(`${top}/`);

/**
 * The list of top directories outside which the service touches nothing. The roots come from the admin of the host and are trusted: they
 * may be links. Everything below them, and every path handed in, is not.
 */
export class Datapath {
  readonly roots: readonly Root[];

  private constructor(roots: readonly Root[]) {
    this.roots = roots;
  }

  /** `text` is the value of `REELVAULT_DATAPATH`: absolute directories that exist, separated by `:`. Throws `config-invalid`. */
  static async open(text: string): Promise<Datapath> {
    const names = text.split(':').filter((name) => name !== '');
    if (names.length === 0) throw invalid('at least one directory', JSON.stringify(text));
    const roots: Root[] = [];
    try {
      for (const name of names) {
        const root = openRoot(name.length > 1 ? name.replace(/\/+$/, '') : name);
        roots.push(root);
        if (roots.some((other) => other !== root && other.path === root.path))
          throw invalid('each directory once', name);
      }
    } catch (error) {
      await Promise.all(roots.map((root) => root.jail.close()));
      throw error;
    }
    return new Datapath(roots);
  }

  /**
   * Proves that an absolute path from outside lies below a root (the deepest that fits), by letting the kernel walk it as far as it
   * exists. The last part, or several, may not exist yet. What is then done with it is done through `root.jail`, which walks again:
   * the answer never turns into a right to use the string itself.
   * Throws `path-invalid`, `path-outside`.
   */
  resolve(outside: string): Resolved {
    checkAbsolute(outside);
    const fitting = this.roots.filter((root) => isBelow(root.path, outside));
    const root = fitting.sort((a, b) => b.path.length - a.path.length)[0];
    if (root === undefined) {
      const list = this.roots.map((each) => each.path).join(', ');
      throw new ReelError('path-outside', { expected: `a path below ${list}`, got: JSON.stringify(outside) });
    }
    const relative = path.posix.relative(root.path, outside) || '.';
    this.#walk(root, relative);
    return { root, relative };
  }

  /** May be called twice. */
  async close(): Promise<void> {
    await Promise.all(this.roots.map((root) => root.jail.close()));
  }

  /** Opens the longest part that exists, without following a link anywhere, the last part included. */
  #walk(root: Root, relative: string): void {
    const { jail } = root;
    for (let upTo = relative; ; upTo = path.posix.dirname(upTo)) {
      const found = jail.stat(upTo);
      if (found === null) continue;
      if (found.type === 'symlink') {
        throw new ReelError('path-outside', { expected: `no link at ${upTo} in ${jail.label}`, got: 'one' });
      }
      // What does not exist yet can only come to be inside a directory.
      if (upTo !== relative && found.type !== 'directory') {
        throw new ReelError('path-invalid', { expected: `a directory at ${upTo} in ${jail.label}`, got: found.type });
      }
      return;
    }
  }
}
