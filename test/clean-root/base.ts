/** A minimal Debian 12 with git and npm as a tarball, made once and kept: everything after it is quick. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { host } from '../command.ts';

const cache = path.resolve(import.meta.dirname, '../../.cache/clean-root');
const packages = 'ca-certificates,git,npm';

/** The host's Debian sources as one-line entries; what else the host knows has no place in a clean root. */
const sources = async (): Promise<string[]> => {
  const format = '$(ORIGIN)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)';
  const lines = (await host('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'])).split('\n');
  const debian = lines
    .filter((line) => /^Debian\|deb \S+ bookworm/.test(line))
    .map((line) => line.slice('Debian|'.length));
  if (debian.length > 0) return debian;
  throw new Error('expected apt sources of Debian 12 on this host with lists (apt-get update), got none');
};

/** How the host reaches its registry: proxies, time outs, checks. */
const aptOptions = async (): Promise<string[]> => {
  const dump = await host('apt-config', ['dump', 'Acquire']);
  return dump
    .split('\n')
    .filter((line) => /^Acquire::(http|https|Check-|Retries|Languages|GzipIndexes)\S* "[^"]/.test(line));
};

/** Gives the tarball's path. Throws with the end of mmdebstrap's words when it cannot be made. */
export const baseTarball = async (): Promise<string> => {
  const entries = await sources();
  const options = await aptOptions();
  const key = createHash('sha256')
    .update(JSON.stringify([packages, entries, options]))
    .digest('hex')
    .slice(0, 16);
  const target = path.join(cache, `bookworm-${key}.tar`);
  if (existsSync(target)) return target;
  await mkdir(cache, { recursive: true });
  const partial = `${target}.${process.pid}`;
  try {
    const settings = [
      '--format=tar',
      '--variant=minbase',
      `--include=${packages}`,
      ...options.map((option) => `--aptopt=${option}`),
    ];
    await host('mmdebstrap', [...settings, 'bookworm', partial, ...entries], { timeoutMs: 900_000 });
    await rename(partial, target);
    return target;
  } finally {
    await rm(partial, { force: true });
  }
};
