import { constants } from 'node:fs';
import { chmod, chown, mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { ReelError, throwStorageFailure } from '../errors.ts';
import { run } from '../exec/run.ts';
import { syncDirectory } from './directories.ts';

/** `.reelvault/volume.json`: what a mounted volume says of itself. */
const identitySchema = Type.Object({ layout: Type.Literal(1), uuid: Type.String(), name: Type.String() });
export type Identity = Static<typeof identitySchema>;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const largest = 64 * 1024;
/** What the service may write: its own notes, the recordings, the files. The root of the volume is root's, unless `create` was told otherwise. */
const directories = ['.reelvault', 'dvr', 'vod'] as const;
const fileOf = (root: string): string => path.join(root, '.reelvault', 'volume.json');

/** Writes directories and identity into a new volume, durable on return. Only for a filesystem that `create` has just made. */
export const writeIdentity = async (root: string, identity: Identity, owner: Owner): Promise<void> => {
  for (const name of directories) {
    await mkdir(path.join(root, name), { mode: 0o750 });
    await chown(path.join(root, name), owner.uid, owner.gid);
  }
  const file = await open(fileOf(root), 'wx', 0o444);
  try {
    await file.writeFile(`${JSON.stringify(identity)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncDirectory(path.dirname(fileOf(root)));
  await syncDirectory(root);
};

/**
 * Who may use the root of a new volume beside the service: a streaming server that is to write there. Root keeps what is not said. Where the
 * mode keeps others out, the service alone is let through to its own directories, by an entry in the ACL: it lists nothing and makes nothing.
 */
export const giveRoot = async (
  root: string,
  { owner, group, mode }: { owner?: number | undefined; group?: number | undefined; mode?: number | undefined },
  service: Owner,
): Promise<void> => {
  if (owner !== undefined || group !== undefined) await chown(root, owner ?? 0, group ?? 0);
  if (mode === undefined) return;
  await chmod(root, mode);
  if ((mode & constants.S_IXOTH) !== 0) return;
  await run('setfacl', ['-m', `u:${service.uid}:--x`, root], { timeoutMs: 10_000 });
};

const wrong = (expected: string, got: string, cause?: unknown): ReelError =>
  new ReelError('volume-identity', {
    expected,
    got,
    hint: 'check which container lies at this path; nothing was written to it',
    cause,
  });

/** The service owns the directory, so what lies there is read as a stranger's: no link followed, no FIFO waited for, no flood. */
const readIdentity = async (root: string): Promise<string> => {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(fileOf(root), flags).catch((cause: unknown) => {
    throwStorageFailure(cause);
    throw wrong('an identity file in the volume', 'none that can be read', cause);
  });
  try {
    const found = await file.stat();
    if (!found.isFile() || found.size > largest) throw wrong('a small identity file', 'something else');
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
};

/** Proves that the filesystem mounted at `root` is the volume `expected`. Throws `volume-identity`. */
export const proveIdentity = async (root: string, expected: Identity): Promise<void> => {
  const text = await readIdentity(root);
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (cause) {
    throw wrong('an identity file in JSON', 'something else', cause);
  }
  if (!Value.Check(identitySchema, found)) throw wrong('an identity of layout 1', 'another form');
  if (found.uuid !== expected.uuid) throw wrong(`the volume of container ${expected.uuid}`, `that of ${found.uuid}`);
  if (found.name !== expected.name) throw wrong(`the volume ${expected.name}`, `the volume ${found.name}`);
};
