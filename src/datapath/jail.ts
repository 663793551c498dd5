import { randomBytes } from 'node:crypto';
import { close, constants, write } from 'node:fs';
import { promisify } from 'node:util';
import { ReelError } from '../errors.ts';
import {
  type BeneathStat,
  type DirectoryEntry,
  listBeneath,
  mkdirBeneath,
  openBeneath,
  renameBeneath,
  statBeneath,
  syncFd,
  unlinkBeneath,
} from '../native.ts';
import { explained, explainedError } from './failure.ts';
import { checkRelative } from './path-rules.ts';
import { readWhole } from './read-whole.ts';

const closeFd = promisify(close);
const writeFd = promisify(write);

export interface JailParams {
  /** The directory; the jail owns the descriptor and closes it. */
  readonly fd: number;
  /** What the directory is, for messages: "volume cam1". */
  readonly label: string;
  /** Whether a mount below the directory may be entered. Default false: nothing is mounted inside a volume. */
  readonly crossMounts?: boolean;
}

/**
 * A directory that no path leads out of. All paths are relative to it; `..`, links and (unless allowed) mounts are refused by the kernel
 * at the moment of use. Calls are synchronous where they only touch names. Errors: `path-outside`, `path-invalid`, `not-found`,
 * `already-exists`, `no-space`, `io-error`.
 */
export class Jail {
  readonly label: string;
  readonly #options: { readonly crossMounts: boolean };
  #fd: number;

  constructor({ fd, label, crossMounts = false }: JailParams) {
    this.#fd = fd;
    this.label = label;
    this.#options = { crossMounts };
  }

  /** The directory's descriptor, borrowed: for native parts that make a duplicate of it. Throws `not-found` once closed. */
  get fd(): number {
    if (this.#fd >= 0) return this.#fd;
    throw new ReelError('not-found', { expected: `${this.label} to be open`, got: 'a closed one' });
  }

  /** Opens a file with flags of `fs.constants`; the caller closes the descriptor. */
  open(path: string, flags: number, mode = 0o640): number {
    return this.#do('open', path, () => openBeneath(this.fd, path, flags, mode, this.#options));
  }

  /** A jail of its own for a directory inside, with the same rule for mounts. */
  sub(path: string): Jail {
    const fd = this.open(path, constants.O_RDONLY | constants.O_DIRECTORY, 0);
    return new Jail({ fd, label: `${this.label}/${path}`, ...this.#options });
  }

  /** Makes the directory and its parents. */
  mkdirp(path: string, mode = 0o750): void {
    this.#do('make the directory', path, () => mkdirBeneath(this.fd, path, mode, this.#options));
  }

  readdir(path = '.'): DirectoryEntry[] {
    return this.#do('list', path, () => listBeneath(this.fd, path, this.#options));
  }

  /** Null where nothing is. A link as the last part is told as such. */
  stat(path: string): BeneathStat | null {
    try {
      return this.#do('look at', path, () => statBeneath(this.fd, path, this.#options));
    } catch (error) {
      if (error instanceof ReelError && error.details.errno === 'ENOENT') return null;
      throw error;
    }
  }

  /** Replaces `to` in one step; with `noReplace` an existing `to` is `already-exists`. Durable after a sync of the directories. */
  rename(from: string, to: string, { noReplace = false } = {}): void {
    checkRelative(to);
    this.#do('rename', from, () => renameBeneath(this.fd, from, to, noReplace, this.#options));
  }

  /** Removes a file or link, or with `directory` an empty directory. */
  unlink(path: string, { directory = false } = {}): void {
    this.#do('remove', path, () => unlinkBeneath(this.fd, path, directory, this.#options));
  }

  /** The whole of a small file; more than `maxBytes` is `path-invalid`. */
  async readFile(path: string, { maxBytes = 16 * 1024 * 1024 } = {}): Promise<Buffer> {
    // A FIFO would block the open for ever; a device could do anything.
    const fd = this.open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY, 0);
    try {
      return await readWhole(fd, maxBytes, `${path} in ${this.label}`);
    } catch (error) {
      throw explainedError(this.label, 'read', path, error);
    } finally {
      await closeFd(fd);
    }
  }

  /**
   * Puts `bytes` at `path` so that after any crash there is either the old file or the whole new one; durable on return.
   * 1 write a temporary file beside it, 2 sync it, 3 rename it over `path`, 4 sync the directory. After a failure the old file is
   * untouched, but for one in step 4: then either may be there. A crash can leave a `.tmp-…` file behind.
   */
  async writeFileAtomic(path: string, bytes: Uint8Array, mode = 0o640): Promise<void> {
    const slash = checkRelative(path).lastIndexOf('/');
    const directory = slash < 0 ? '.' : path.slice(0, slash);
    const temporary = `${slash < 0 ? '' : `${directory}/`}.tmp-${randomBytes(8).toString('hex')}`;
    const fd = this.open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
    try {
      try {
        for (let done = 0; done < bytes.length; ) {
          done += (await writeFd(fd, bytes, done, bytes.length - done, null)).bytesWritten; // 1
        }
        await syncFd(fd); // 2
      } finally {
        await closeFd(fd);
      }
      this.rename(temporary, path); // 3
    } catch (error) {
      try {
        this.unlink(temporary);
      } catch {
        // the first failure is the one to tell; a crash may leave such a file too
      }
      throw explainedError(this.label, 'write', path, error);
    }
    await this.syncDirectory(directory); // 4
  }

  /** Makes the names in a directory durable. */
  async syncDirectory(path = '.'): Promise<void> {
    const fd = this.open(path, constants.O_RDONLY | constants.O_DIRECTORY, 0);
    try {
      await syncFd(fd);
    } catch (error) {
      throw explainedError(this.label, 'sync', path, error);
    } finally {
      await closeFd(fd);
    }
  }

  /** Closes the directory, which lets its filesystem be unmounted. May be called twice. */
  async close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = -1;
    if (fd >= 0) await closeFd(fd);
  }

  #do<T>(doing: string, path: string, work: () => T): T {
    checkRelative(path);
    return explained(this.label, doing, path, work);
  }
}
