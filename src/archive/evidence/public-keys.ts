/** Public keys by the name that signatures call them. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { ReelError } from '../../errors.ts';
import { keyIdOf } from './signature.ts';

/** From PEM texts, each with one key or several. `invalid-argument` for what is no Ed25519 public key. */
export const publicKeysOf = (texts: readonly string[]): Map<string, KeyObject> => {
  const keys = new Map<string, KeyObject>();
  for (const text of texts) {
    const blocks = text.match(/-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g) ?? [];
    for (const pem of blocks) {
      const key = readKey(pem);
      keys.set(keyIdOf(key).toString('hex'), key);
    }
    if (blocks.length === 0) throw noKey('none');
  }
  return keys;
};

const noKey = (got: string): ReelError =>
  new ReelError('invalid-argument', {
    expected: 'an Ed25519 public key in PEM form (BEGIN PUBLIC KEY)',
    got,
    hint: 'print it on the host that recorded: `reelvault archive key`',
  });

const readKey = (pem: string): KeyObject => {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw noKey('a block that is no key');
  }
  if (key.asymmetricKeyType !== 'ed25519') throw noKey(`a key of type ${key.asymmetricKeyType}`);
  return key;
};
