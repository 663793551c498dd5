import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/**
 * Has Node keep what it compiled for as long as this process lives. Tests start hundreds of daemons, helpers and commands; each but the first
 * starts in two thirds of the time.
 */
export const useCompileCache = (): void => {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return;
  const directory = mkdtempSync(path.join(tmpdir(), 'reelvault-compiled-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  process.env.NODE_COMPILE_CACHE = directory;
};
