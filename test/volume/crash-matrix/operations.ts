/** The rows of the crash matrix: what begins, what is called, what is right after a kill, and what the same call again must do. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ReelError } from '../../../src/errors.ts';
import type { GrownView } from '../../../src/http/volume-grow.ts';
import type { KeyAddedView, KeyListView } from '../../../src/http/volume-keys.ts';
import type { VolumeView } from '../../../src/http/volumes.ts';
import type { Victim } from '../../helper/step-plan.ts';
import type { Ground, Seen } from './ground.ts';

const MiB = 1024 ** 2;
const died = 'failed:block-plane-died';

/** The volume of one cell, and what was written into it and must be there afterwards: digests by file of `dvr/`. */
export interface Subject {
  readonly ground: Ground;
  readonly name: string;
  readonly written: Map<string, string>;
  /** Another one for each cell. */
  readonly number: number;
}

export interface Operation {
  /** Size and filesystem of the volume that it is done to; undefined: it makes its own. One volume serves all cells unless it is used up. */
  readonly volume: { readonly size: string; readonly filesystem?: 'xfs' } | undefined;
  readonly usesUp: boolean;
  /** What state it begins in. */
  readonly from: 'gone' | 'locked' | 'open';
  call(subject: Subject): Promise<unknown>;
  /** The states that are right after a kill; `failed` with its code. A step that is not named here may leave any of `otherwise`. */
  readonly right: Readonly<
    Record<Victim, { readonly [step: string]: readonly string[]; readonly otherwise: readonly string[] }>
  >;
  /** The same call again, after what is right was seen. Leaves the volume whole, or gone. */
  again(subject: Subject, seen: Seen): Promise<void>;
  /** Takes back what would be in the way of the next cell. */
  tidy?(subject: Subject): Promise<void>;
}

const url = ({ ground, name }: Subject, below = ''): string => ground.url(name, below);

const refused = (call: Promise<unknown>, code: string, words: RegExp): Promise<void> =>
  assert.rejects(call, (error: ReelError) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    return true;
  });

export const openVolume = async (subject: Subject): Promise<void> => {
  const { state } = await subject.ground.client.post<VolumeView>(url(subject, '/open'));
  assert.equal(state, 'open');
};

export const lockVolume = async (subject: Subject): Promise<void> => {
  const { state } = await subject.ground.client.post<VolumeView>(url(subject, '/lock'));
  assert.equal(state, 'locked');
};

export const createVolume = ({ ground, name }: Subject, { size, filesystem = 'ext4' } = small): Promise<VolumeView> => {
  const query = new URLSearchParams({ size, filesystem, engine: ground.engine, open: 'false' });
  return ground.client.put<VolumeView>(`${ground.url(name)}?${query}`);
};

export const destroyVolume = ({ ground, name }: Subject): Promise<unknown> =>
  ground.client.delete(`${ground.url(name)}?confirm=${name}`);

const small: NonNullable<Operation['volume']> = { size: '32M' };
/** XFS: where the machine lets nobody grow a mounted ext4, the filesystem's own steps could not be had. */
const large: NonNullable<Operation['volume']> = { size: '304M', filesystem: 'xfs' };

const create: Operation = {
  ...{ volume: undefined, usesUp: true, from: 'gone' },
  call: (subject) => createVolume(subject),
  right: {
    helper: {
      ...{ 'half-named': ['open'], named: ['open'], flushed: ['open'] },
      ...{ unmounted: ['failed:volume-state'], detached: ['locked'] },
      otherwise: ['gone'],
    },
    // The helper goes on to the end, also when its caller is gone.
    daemon: { otherwise: ['locked'] },
    luksblock: { otherwise: ['gone', 'locked', died] },
  },
  again: async (subject, { state }) => {
    if (state === 'gone') assert.equal((await createVolume(subject)).state, 'locked');
    else await refused(createVolume(subject), 'already-exists', /choose another name/);
  },
};

const open: Operation = {
  ...{ volume: small, usesUp: false, from: 'locked' },
  call: openVolume,
  right: {
    helper: { cleaned: ['locked'], mounted: ['open'], proven: ['open'], otherwise: ['failed:volume-state'] },
    daemon: { otherwise: ['open'] },
    luksblock: { otherwise: [died] },
  },
  again: openVolume,
};

const netSize = async ({ ground, name }: Subject): Promise<number> => (await ground.view(name)).netSize;

/** Where each cell's grow goes to. */
const goals = new WeakMap<Subject, number>();

const growTo = async (subject: Subject): Promise<GrownView> => {
  const to = goals.get(subject) ?? (await netSize(subject)) + 16 * MiB;
  goals.set(subject, to);
  return subject.ground.client.post<GrownView>(`${url(subject, '/grow')}?size=${to}`);
};

const grown = async (subject: Subject): Promise<void> => {
  const { volume, grown } = await growTo(subject);
  assert.deepEqual([grown.filesystem, volume.netSize, volume.growing], ['grown', goals.get(subject), null]);
};

const grow: Operation = {
  ...{ volume: large, usesUp: false, from: 'open' },
  call: growTo,
  right: {
    helper: { otherwise: ['open'] },
    daemon: { otherwise: ['open'] },
    luksblock: { otherwise: [died] },
  },
  again: async (subject, { state }) => {
    if (state === 'failed') {
      await refused(growTo(subject), 'volume-state', /open or lock it first/);
      await openVolume(subject);
    }
    await grown(subject);
  },
};

const growLocked: Operation = {
  ...{ volume: large, usesUp: false, from: 'locked' },
  call: growTo,
  right: { helper: { otherwise: ['locked'] }, daemon: { otherwise: ['locked'] }, luksblock: { otherwise: [] } },
  again: async (subject) => {
    const { grown: first } = await growTo(subject);
    assert.equal(first.to, goals.get(subject));
    await openVolume(subject);
    await grown(subject);
  },
};

const passphraseOf = ({ number }: Subject): Buffer => Buffer.from(`passphrase of cell ${number}`);

const addKey: Operation = {
  ...{ volume: small, usesUp: false, from: 'open' },
  call: (subject) => subject.ground.client.post<KeyAddedView>(url(subject, '/keys'), passphraseOf(subject)),
  right: { helper: { otherwise: ['open'] }, daemon: { otherwise: ['open'] }, luksblock: { otherwise: [died] } },
  again: async (subject) => {
    const { client } = subject.ground;
    const { slot } = await client.post<KeyAddedView>(url(subject, '/keys'), passphraseOf(subject));
    const { keys } = await client.get<KeyListView>(url(subject, '/keys'));
    assert.deepEqual(
      keys.map(({ slot: number, kind }) => `${number} ${kind}`),
      ['0 keyFile', `${slot} passphrase`],
    );
    await lockVolume(subject);
    const { state } = await client.post<VolumeView>(url(subject, '/open'), passphraseOf(subject));
    assert.equal(state, 'open', 'the new passphrase opens');
  },
  // By the key itself: what it opens is no business of this row.
  tidy: async (subject) => {
    await subject.ground.client.post(url(subject, '/keys/remove'), passphraseOf(subject));
  },
};

const rotate: Operation = {
  ...{ volume: small, usesUp: false, from: 'open' },
  call: (subject) => subject.ground.client.post<KeyAddedView>(url(subject, '/keys/rotate')),
  right: { helper: { otherwise: ['open'] }, daemon: { otherwise: ['open'] }, luksblock: { otherwise: [died] } },
  again: async (subject) => {
    const { client } = subject.ground;
    const { slot } = await client.post<KeyAddedView>(url(subject, '/keys/rotate'));
    const { keys } = await client.get<KeyListView>(url(subject, '/keys'));
    assert.deepEqual(
      keys.map(({ slot: number, kind }) => `${number} ${kind}`),
      [`${slot} keyFile`],
    );
  },
};

const lock: Operation = {
  ...{ volume: small, usesUp: false, from: 'open' },
  call: lockVolume,
  right: {
    helper: { flushed: ['open'], unmounted: ['failed:volume-state'], otherwise: ['locked'] },
    daemon: { otherwise: ['locked'] },
    luksblock: { otherwise: ['locked'] },
  },
  again: lockVolume,
};

const destroy: Operation = {
  ...{ volume: small, usesUp: true, from: 'locked' },
  call: destroyVolume,
  right: {
    helper: { destroyed: ['absent'], otherwise: ['failed:volume-unfinished'] },
    daemon: { otherwise: ['absent', 'gone'] },
    luksblock: { otherwise: [] },
  },
  again: async (subject, { state }) => {
    if (state === 'gone') await refused(destroyVolume(subject), 'not-found', /a volume/);
    else await destroyVolume(subject);
    assert.equal((await subject.ground.seen(subject.name)).state, 'gone');
  },
};

export const operations = {
  create,
  open,
  grow,
  'grow locked': growLocked,
  'add key': addKey,
  rotate,
  lock,
  destroy,
} as const satisfies Record<string, Operation>;
export type OperationName = keyof typeof operations;

/** A file whose bytes are its own, durable before the call that is interrupted. */
export const write = async ({ ground, name, written }: Subject, file: string): Promise<void> => {
  written.set(file, await ground.write(name, file, randomBytes(256 * 1024)));
};
