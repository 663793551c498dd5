import { readFile } from 'node:fs/promises';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { replacePrivateFile } from '../../config/private-file.ts';
import { ReelError } from '../../errors.ts';
import { attachOptions } from '../../helper/protocol/volume.ts';
import { leaseRecordSchema } from './lease-record.ts';

const recordSchema = Type.Object({
  name: Type.String(),
  container: Type.String(),
  /** Null until `create` has answered; a crash in between is settled at the next start. */
  uuid: Type.Union([Type.String(), Type.Null()]),
  type: Type.Union([Type.Literal('luks1'), Type.Literal('luks2')]),
  /** As the header says it, such as `aes-xts-plain64`; null until `create` has answered. */
  cipher: Type.Union([Type.String(), Type.Null()]),
  size: Type.Integer(),
  engine: Type.Union([Type.Literal('kernel'), Type.Literal('userspace')]),
  key: Type.Union([Type.Literal('passphrase'), Type.Literal('keyFile')]),
  createdAt: Type.String(),
  /** LUKS1 only, whose headers cannot say it: what kind of key each slot is for. */
  keyKinds: Type.Optional(
    Type.Record(
      Type.String(),
      Type.Union([Type.Literal('passphrase'), Type.Literal('keyFile'), Type.Literal('recovery')]),
    ),
  ),
  /** Opens at the start without an admin. */
  autoOpen: Type.Optional(Type.Boolean()),
  leases: Type.Optional(Type.Array(leaseRecordSchema)),
  /** The container is this block device, and no file of ours. */
  blockDevice: Type.Optional(Type.String()),
  /** Of a container on a block device until `create` has answered: what header is its own. */
  newUuid: Type.Optional(Type.String()),
  // Optional from here on: a list of an older version has none of these.
  filesystem: Type.Optional(Type.String()),
  label: Type.Optional(Type.String()),
  keyBits: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
  sectorSize: Type.Optional(Type.Integer()),
  ...attachOptions,
});

/** What the daemon remembers of a volume. What state it is in is asked of the helper, never written down. */
export type VolumeRecord = Static<typeof recordSchema>;

const fileSchema = Type.Object({ layout: Type.Literal(1), volumes: Type.Array(recordSchema) });

const damaged = (file: string, got: string, cause?: unknown): ReelError =>
  new ReelError('config-invalid', {
    expected: `a list of volumes in ${file}`,
    got,
    hint: 'restore the file from a backup, or move it away and register the volumes again',
    cause,
  });

/** `volumes.json`. Throws `config-invalid` rather than starting with half a list. */
export class VolumeRegistry {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  async load(): Promise<VolumeRecord[]> {
    let text: string;
    try {
      text = await readFile(this.#file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw damaged(this.#file, 'a file that cannot be read', error);
    }
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (cause) {
      throw damaged(this.#file, 'text that is not JSON', cause);
    }
    if (Value.Check(fileSchema, json)) return json.volumes;
    throw damaged(this.#file, 'another form');
  }

  save(volumes: readonly VolumeRecord[]): Promise<void> {
    return replacePrivateFile(this.#file, `${JSON.stringify({ layout: 1, volumes }, null, 2)}\n`);
  }
}
