/** Block devices for the tests: loop devices over files, with names of their own as udev gives them, and links that can be led elsewhere. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, rmdir, stat, symlink, truncate, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from '../../../src/exec/run.ts';

const timeoutMs = 30_000;
/** Below /dev, as nothing else is taken for a device. */
const names = `/dev/reelvault-test-${process.pid}`;

export interface Disk {
  /** A link to the node. */
  readonly name: string;
  readonly node: string;
  /** What lies on it. */
  readonly image: string;
}

/** Whether it is a filesystem of its own: in a chroot it may be one more directory of /dev, where devices are looked for. */
const inMemory = async (directory: string): Promise<boolean> =>
  existsSync(directory) && (await stat(directory)).dev !== (await stat('/dev')).dev;

export class Disks {
  readonly directory = `${names}/`;
  readonly #images: string;
  readonly #nodes: string[] = [];
  #count = 0;

  private constructor(images: string) {
    this.#images = images;
  }

  static async make(): Promise<Disks> {
    // In memory where that can be: a loop device makes an fsync of each flush, and other work on the disk would be waited for.
    const images = await mkdtemp(path.join((await inMemory('/dev/shm')) ? '/dev/shm' : tmpdir(), 'reelvault-disks-'));
    await mkdir(names, { mode: 0o755 });
    return new Disks(images);
  }

  async add(size: number, ...options: readonly string[]): Promise<Disk> {
    this.#count += 1;
    const image = path.join(this.#images, `image-${this.#count}`);
    await run('fallocate', ['--length', String(size), image], { timeoutMs });
    const node = await this.attach(image, ...options);
    const name = path.join(names, `disk-${this.#count}`);
    await symlink(node, name);
    return { name, node, image };
  }

  async attach(image: string, ...options: readonly string[]): Promise<string> {
    const { stdout } = await run('losetup', ['--find', '--show', ...options, image], { timeoutMs });
    const node = stdout.toString().trim();
    this.#nodes.push(node);
    return node;
  }

  /** The device gets a longer image. */
  async lengthen({ image, node }: Disk, size: number): Promise<void> {
    await truncate(image, size);
    await run('losetup', ['--set-capacity', node], { timeoutMs });
  }

  /** As udev does when a disk is taken away, or comes as another one. */
  async lead({ name }: Disk, node?: string): Promise<void> {
    await unlink(name).catch(() => undefined);
    if (node !== undefined) await symlink(node, name);
  }

  async destroy(): Promise<void> {
    for (const node of this.#nodes) await run('losetup', ['--detach', node], { timeoutMs, okCodes: [0, 1] });
    await rm(names, { recursive: true, force: true });
    await rm(this.#images, { recursive: true, force: true });
    await rmdir(names).catch(() => undefined);
  }
}
