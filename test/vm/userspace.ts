/** A container opened with the `luksblock` binary alone: what stands on disk is then that program's work and nobody else's. */
import { spawn } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { host } from '../command.ts';

const luksblock = path.resolve(import.meta.dirname, '../../build/Release/luksblock');

export interface OpenContainer {
  /** The loop device over the decrypted file. */
  readonly device: string;
  /** The decrypted file itself. */
  readonly plain: string;
  close(): Promise<void>;
}

/** Throws with what luksblock printed when it refuses. `folder` is made and holds its FUSE mount. */
export const openUserspace = async (container: string, keyFile: string, folder: string): Promise<OpenContainer> => {
  await mkdir(folder, { recursive: true });
  const key = await readFile(keyFile);
  const child = spawn(luksblock, ['--container', container, '--mount', folder, '--key-fd', '3'], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (bytes) => (stdout += String(bytes)));
  child.stderr?.on('data', (bytes) => (stderr += String(bytes)));
  // A refusal may come before the key was read; its reason is on stderr, not in this stream's error.
  (child.stdio[3] as NodeJS.WritableStream).on('error', () => undefined).end(key);
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`luksblock refused ${container} with ${code}: ${stderr}`);
  const { sectorSize } = JSON.parse(stdout) as { sectorSize: number };
  const plain = path.join(folder, 'plain');
  const undo: (() => Promise<unknown>)[] = [() => host('umount', [folder])];
  const close = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const loop = ['--find', '--show', '--direct-io=on', '--sector-size', String(sectorSize), plain];
    const device = (await host('losetup', loop)).trim();
    undo.push(() => host('losetup', ['--detach', device]));
    return { device, plain, close };
  } catch (error) {
    await close();
    throw error;
  }
};

/** Mounts the device for the time of `work`. */
export const withMount = async <T>(device: string, at: string, work: () => Promise<T>): Promise<T> => {
  await mkdir(at, { recursive: true });
  await host('mount', ['-t', 'ext4', device, at]);
  try {
    return await work();
  } finally {
    await host('umount', [at]);
  }
};
