/** The kernel's list of FUSE connections (fuse.rst of the kernel), mounted for whoever counts them: where systemd does not run, nobody else does. */
import { mkdtemp, readdir, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { must } from '../luksblock/support.ts';

export class FuseControl implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async mount(): Promise<FuseControl> {
    const directory = await mkdtemp(path.join(tmpdir(), 'reelvault-fusectl-'));
    await must('mount', ['-t', 'fusectl', 'none', directory]);
    return new FuseControl(directory);
  }

  /** By the minor number of the mount's device. */
  connections(): Promise<string[]> {
    return readdir(this.#directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await must('umount', [this.#directory]);
    await rmdir(this.#directory);
  }
}
