/** A volume whose keys are changed: what opens it, what its header and its backups say. */
import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { ReelError } from '../../src/errors.ts';
import { Luks } from '../../src/luks/luks.ts';
import type { EngineName } from '../../src/volume/states.ts';
import { createRequest, type Helper, openRequest, type Place } from '../helper/harness.ts';

export const bytes = (text: string): Buffer => Buffer.from(text);

const quiet = (error: unknown): undefined => {
  if (error instanceof ReelError && error.code === 'wrong-key') return undefined;
  throw error;
};

export class KeyedVolume {
  readonly place: Place;
  readonly name: string;
  readonly engine: EngineName;
  readonly luks = new Luks();

  constructor(place: Place, name: string, engine: EngineName) {
    this.place = place;
    this.name = name;
    this.engine = engine;
  }

  get container(): string {
    return this.place.container(this.name);
  }

  keyFile(name = `${this.name}.key`): string {
    return path.join(this.place.storage, 'keys', name);
  }

  async create({ client }: Helper, passphrase?: string, more: Parameters<typeof createRequest>[1] = {}): Promise<void> {
    const key = passphrase === undefined ? 'keyFile' : 'passphrase';
    const request = createRequest(this.engine, { name: this.name, key, ...more });
    const { fd } = await client.call(request, ...(passphrase === undefined ? [] : [bytes(passphrase)]));
    if (fd >= 0) closeSync(fd);
  }

  /** The slots that a key opens, by the container and by each of its header backups. */
  async slotOf(key: string | Buffer, file = this.container): Promise<number | undefined> {
    return this.luks.testKey(file, typeof key === 'string' ? bytes(key) : key).catch(quiet);
  }

  /** What lists as `slot kind`. */
  async kinds({ client }: Helper): Promise<string[]> {
    const { result } = await client.call({ verb: 'keys-list', name: this.name });
    return result.keys.map(({ slot, kind }) => `${slot} ${kind}`);
  }

  /** Newest first. */
  async backups(): Promise<string[]> {
    const { uuid } = await this.luks.dump(this.container);
    const directory = path.join(this.place.storage, 'headers');
    const files = (await readdir(directory)).filter((file) => file.includes(uuid));
    return files
      .sort()
      .reverse()
      .map((file) => path.join(directory, file));
  }

  /** The newest backup is of the header as it is, and the others have no other keys; no token without a slot; no temporary key file. */
  async proveSettled(): Promise<void> {
    const [backup, ...more] = await this.backups();
    assert.ok(backup !== undefined);
    assert.deepEqual(await this.luks.dump(backup), await this.luks.dump(this.container));
    const { tokens, keyslots } = await this.luks.dump(this.container);
    for (const older of more) assert.deepEqual((await this.luks.dump(older)).keyslots, keyslots);
    const bound = tokens.filter(({ type }) => type === 'reelvault-key').map(({ body }) => body.keyslots);
    assert.ok(
      bound.every((slots) => Array.isArray(slots) && slots.length === 1),
      JSON.stringify(bound),
    );
    const files = (await readdir(path.join(this.place.storage, 'keys'))).filter((file) =>
      file.startsWith(`.${this.name}.`),
    );
    assert.deepEqual(files, []);
  }

  /** Opens the volume and locks it. */
  async proveOpens({ client }: Helper, passphrase?: string): Promise<void> {
    const key = passphrase === undefined ? 'keyFile' : 'passphrase';
    const request = openRequest(this.engine, { name: this.name, key });
    const { fd } = await client.call(request, ...(passphrase === undefined ? [] : [bytes(passphrase)]));
    closeSync(fd);
    await client.call({ verb: 'lock', name: this.name });
  }

  readKeyFile(): Promise<Buffer> {
    return readFile(this.keyFile());
  }
}
