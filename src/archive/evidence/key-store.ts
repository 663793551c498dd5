/**
 * The service's key pair for evidence, in `<state>/evidence`: `key.pk8` (Ed25519, PKCS #8 DER, 0600) and `keys.json`, every public key there
 * ever was. Made at the first start. A rotation retires the old public key, keeps it listed, and forgets its private key.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { replacePrivateFile } from '../../config/private-file.ts';
import { ReelError } from '../../errors.ts';
import { keyIdOf } from './signature.ts';

export interface EvidenceKeyView {
  /** SHA-256 of the public key (SPKI, DER), hexadecimal. */
  readonly id: string;
  /** PEM. */
  readonly publicKey: string;
  /** ISO 8601. */
  readonly madeAt: string;
  /** `null`: it signs now. */
  readonly retiredAt: string | null;
}

export interface SigningKey {
  readonly id: Buffer;
  readonly key: KeyObject;
}

const damaged = (file: string, cause: unknown): ReelError =>
  new ReelError('archive-damaged', {
    expected: `an Ed25519 key of the service in ${file}`,
    got: (cause as NodeJS.ErrnoException).code ?? 'something else',
    hint: 'put it back from a backup of the state directory, or move the directory away: then a new pair is made at the next start',
    cause,
  });

const whenThere = async <T>(reading: Promise<T>): Promise<T | undefined> => {
  try {
    return await reading;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

const pemOf = (publicKey: KeyObject): string => String(publicKey.export({ type: 'spki', format: 'pem' }));

export class EvidenceKeys {
  readonly #directory: string;
  readonly #now: () => number;
  #signing: SigningKey | undefined;
  #problem: ReelError | undefined;
  #keys: EvidenceKeyView[] = [];
  #changing: Promise<unknown> = Promise.resolve();

  /** `now`: Unix milliseconds. */
  constructor(params: { readonly state: string; readonly now: () => number }) {
    this.#directory = path.join(params.state, 'evidence');
    this.#now = params.now;
  }

  /** Loads the pair, or makes it. `archive-damaged` where there is one that cannot be used: it is never replaced unasked. */
  async start(): Promise<void> {
    const { keyFile, listFile } = this.#files();
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const list = await whenThere(readFile(listFile, 'utf8'));
      this.#keys = list === undefined ? [] : (JSON.parse(list) as { keys: EvidenceKeyView[] }).keys;
      const bytes = await whenThere(readFile(keyFile));
      if (bytes !== undefined) await this.#take(bytes);
      else if (this.#keys.some(({ retiredAt }) => retiredAt === null)) throw new Error('the private key is missing');
      else await this.#make();
    } catch (cause) {
      this.#problem = damaged(keyFile, cause);
      throw this.#problem;
    }
  }

  /** Throws what kept the pair from being loaded. */
  get signing(): SigningKey {
    if (this.#signing !== undefined) return this.#signing;
    throw this.#problem ?? new ReelError('internal', { expected: 'started evidence keys', got: 'none' });
  }

  /** All public keys, the oldest first. */
  list(): readonly EvidenceKeyView[] {
    return this.#keys;
  }

  /** A new pair signs from now on; the old public key stays listed and its private key is gone. */
  rotate(): Promise<EvidenceKeyView> {
    const done = this.#changing.then(() => {
      void this.signing; // one that could not be loaded must be looked after first
      return this.#make();
    });
    this.#changing = done.catch(() => undefined);
    return done;
  }

  #files(): { keyFile: string; listFile: string } {
    return { keyFile: path.join(this.#directory, 'key.pk8'), listFile: path.join(this.#directory, 'keys.json') };
  }

  async #make(): Promise<EvidenceKeyView> {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const at = new Date(this.#now()).toISOString();
    const id = keyIdOf(publicKey);
    const view = { id: id.toString('hex'), publicKey: pemOf(publicKey), madeAt: at, retiredAt: null };
    const keys = [...this.#keys.map((old) => ({ ...old, retiredAt: old.retiredAt ?? at })), view];
    const bytes = privateKey.export({ type: 'pkcs8', format: 'der' });
    try {
      await replacePrivateFile(this.#files().keyFile, bytes);
    } finally {
      bytes.fill(0);
    }
    // From here on the new key is in force; a stop before the list is written is made good by `#take`.
    this.#signing = { id, key: privateKey };
    this.#keys = keys;
    await this.#save();
    return view;
  }

  async #take(bytes: Buffer): Promise<void> {
    try {
      const key = createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' });
      if (key.asymmetricKeyType !== 'ed25519') throw new Error(`a key of type ${key.asymmetricKeyType}`);
      const publicKey = createPublicKey(key);
      const id = keyIdOf(publicKey);
      this.#signing = { id, key };
      const known = this.#keys.find((one) => one.id === id.toString('hex'));
      if (known?.retiredAt === null) return;
      const at = new Date(this.#now()).toISOString();
      const current = {
        id: id.toString('hex'),
        publicKey: pemOf(publicKey),
        madeAt: known?.madeAt ?? at,
        retiredAt: null,
      };
      const others = this.#keys.filter((one) => one !== known);
      this.#keys = [...others.map((old) => ({ ...old, retiredAt: old.retiredAt ?? at })), current];
      await this.#save();
    } finally {
      bytes.fill(0);
    }
  }

  #save(): Promise<void> {
    return replacePrivateFile(this.#files().listFile, `${JSON.stringify({ keys: this.#keys }, null, 1)}\n`);
  }
}
