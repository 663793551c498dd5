/** Former texts of the configuration, each with who made it when: one small private file a version, the oldest deleted first. */
import { mkdir, readdir, readFile, unlink } from 'node:fs/promises';
import path from 'node:path';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { ReelError } from '../../errors.ts';
import { replacePrivateFile } from '../private-file.ts';
import { longestText } from './parse.ts';

const versionSchema = Type.Object({
  id: Type.Integer({ minimum: 1 }),
  /** ISO 8601. */
  time: Type.String(),
  /** Who saved it. */
  by: Type.String(),
  /** `change`, `rollback`, `file`: edited on the machine. */
  how: Type.Enum(['change', 'rollback', 'file']),
  text: Type.String({ maxLength: longestText }),
});

export type Version = Static<typeof versionSchema>;

const keep = 100;

const nameOf = (id: number): string => `${String(id).padStart(8, '0')}.json`;
const isName = (name: string): boolean => /^\d{8}\.json$/.test(name);

const parse = (json: string): Version | undefined => {
  try {
    const value: unknown = JSON.parse(json);
    return Value.Check(versionSchema, value) ? value : undefined;
  } catch {
    return undefined;
  }
};

export class ConfigHistory {
  readonly #directory: string;
  #ids: number[] = [];

  constructor(params: { readonly directory: string }) {
    this.#directory = params.directory;
  }

  async load(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    this.#ids = (await readdir(this.#directory))
      .filter(isName)
      .map((name) => Number.parseInt(name, 10))
      .sort((a, b) => a - b);
  }

  /** The newest that can be read; undefined where there is none. */
  async newest(): Promise<Version | undefined> {
    for (const id of this.#ids.toReversed()) {
      const version = await this.#read(id);
      if (version !== undefined) return version;
    }
    return undefined;
  }

  /** Newest first. One that cannot be read is left out. */
  async list(): Promise<Version[]> {
    const versions = await Promise.all(this.#ids.toReversed().map((id) => this.#read(id)));
    return versions.filter((version) => version !== undefined);
  }

  /** Throws `not-found`. */
  async get(id: number): Promise<Version> {
    const version = this.#ids.includes(id) ? await this.#read(id) : undefined;
    if (version !== undefined) return version;
    throw new ReelError('not-found', {
      expected: 'a version of the configuration, as `reelvault config history` lists it',
      got: String(id),
    });
  }

  /** Resolves when it is on disk. */
  async add(facts: Omit<Version, 'id'>): Promise<Version> {
    const version = { id: (this.#ids.at(-1) ?? 0) + 1, ...facts };
    await replacePrivateFile(this.#file(version.id), `${JSON.stringify(version)}\n`);
    this.#ids.push(version.id);
    for (const old of this.#ids.splice(0, Math.max(this.#ids.length - keep, 0)))
      await unlink(this.#file(old)).catch(() => undefined);
    return version;
  }

  /** Takes back what was added last: what it was for has failed. */
  async forget(id: number): Promise<void> {
    this.#ids = this.#ids.filter((other) => other !== id);
    await unlink(this.#file(id)).catch(() => undefined);
  }

  #file(id: number): string {
    return path.join(this.#directory, nameOf(id));
  }

  async #read(id: number): Promise<Version | undefined> {
    const json = await readFile(this.#file(id), 'utf8').catch(() => undefined);
    return json === undefined ? undefined : parse(json);
  }
}
