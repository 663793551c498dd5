/**
 * Public keys that tokens are checked with: of a URL, asked again when a token names a key that is not known (at most every 30 s), or of a file,
 * read again when it was exchanged. So keys can be rotated without a restart.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { createLocalJWKSet, createRemoteJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';

/** The keys could not be had; a token is neither good nor bad then. */
export class KeysUnavailable extends Error {}

const mostBytes = 1024 * 1024;

export const keysOfUrl = (url: string, timeoutMs: number): JWTVerifyGetKey =>
  createRemoteJWKSet(new URL(url), { timeoutDuration: timeoutMs, cooldownDuration: 30_000, cacheMaxAge: 10 * 60_000 });

export const keysOfFile = (path: string): JWTVerifyGetKey => {
  let version = '';
  let keys: JWTVerifyGetKey | undefined;
  const load = async (): Promise<JWTVerifyGetKey> => {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { ino, size, mtimeNs } = await file.stat({ bigint: true });
      if (size > mostBytes) throw new KeysUnavailable('the file is too large');
      if (keys !== undefined && version === `${ino} ${size} ${mtimeNs}`) return keys;
      keys = createLocalJWKSet(JSON.parse((await file.readFile()).toString('utf8')) as JSONWebKeySet);
      version = `${ino} ${size} ${mtimeNs}`;
      return keys;
    } finally {
      await file.close();
    }
  };
  return async (header, token) => {
    let known: JWTVerifyGetKey;
    try {
      known = await load();
    } catch (error) {
      // Not the message of a parser, which quotes the file.
      throw new KeysUnavailable((error as NodeJS.ErrnoException).code ?? 'the file is no key set');
    }
    return known(header, token);
  };
};
