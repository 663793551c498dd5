/** The operations that faults are injected into: how each begins, what it does, what holds after a failure and after a success. */
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReelError } from '../../src/errors.ts';
import { service } from '../helper/harness.ts';
import { type Ground, small } from './ground.ts';

export interface Operation {
  readonly name: string;
  /** Brings the ground to where the operation begins, from wherever the former case ended. */
  prepare(): Promise<void>;
  /** The operation itself; made again after a failure. */
  act(): Promise<void>;
  /** The volume whose header it changes. */
  readonly header?: string;
  /** What is done about a block plane that hangs, before anything is proven. */
  cutOff?(): Promise<void>;
  /** What has to hold after it succeeded. */
  prove(): Promise<void>;
  /**
   * After a failure everything is as before, but for files that match this: those that documents name as taken up by the next call.
   * `false`: a failure may stop half way, and the next call goes on (closing, destroying).
   */
  readonly mayLeave?: RegExp | false;
  /** Steps after which what was asked for is there, whatever becomes of the call. */
  readonly thereAfter?: readonly string[];
}

const bytes = (text: string): Buffer => Buffer.from(text);
const reader = { consumer: 'reader', path: '.', readOnly: true, uid: service.uid, gid: service.gid } as const;
const noCode = (error: unknown): undefined => {
  if (!(error instanceof ReelError)) throw error;
  return undefined;
};

/** A locked volume `name` that holds data. */
const makeVolume = async (ground: Ground, name: string, more: Parameters<Ground['create']>[1] = {}): Promise<void> => {
  await ground.create(name, { open: true, ...more });
  await ground.writeProof(name);
  await ground.lock(name);
};

const proveLocked = async (ground: Ground, name: string): Promise<void> => {
  await ground.open(name);
  await ground.proveData(name);
  await ground.lock(name);
};

const creating = (ground: Ground, title: string, more: Parameters<Ground['create']>[1]): Operation => ({
  name: title,
  prepare: async () => {
    await ground.lock('new');
    await ground.call({ verb: 'destroy', name: 'new', confirm: 'new' });
  },
  // What fails after the volume has its name leaves a volume, and is told so by the next call.
  act: () =>
    ground.create('new', more).catch((error: unknown) => {
      if (!(error instanceof ReelError) || error.code !== 'already-exists') throw error;
    }),
  prove: async () => {
    await ground.open('new');
    await ground.lock('new');
  },
  thereAfter: ['named', 'flushed', 'unmounted', 'detached'],
});

const opening = (ground: Ground, readOnly: boolean): Operation => ({
  name: readOnly ? 'open read-only' : 'open',
  prepare: () => ground.lock('v'),
  act: () => ground.open('v', { readOnly }),
  // what hangs may be a read ahead, which nobody waits for before the data is read
  cutOff: async () => {
    await ground.slam('v');
    await ground.open('v', { readOnly });
  },
  prove: () => ground.proveData('v'),
  thereAfter: ['proven'],
});

const locking = (ground: Ground): Operation => ({
  name: 'lock',
  prepare: async () => {
    await ground.lock('v');
    await ground.open('v');
  },
  act: () => ground.lock('v'),
  prove: () => proveLocked(ground, 'v'),
  mayLeave: false,
});

/** Each time by one MiB; now and then a new volume, so that it does not become large. */
const growing = (ground: Ground, use: boolean): Operation => {
  const name = use ? 'grows' : 'grows-locked';
  let size = 0;
  return {
    name: use ? 'grow' : 'grow locked',
    prepare: async () => {
      if (size === 0 || size > 4 * small) {
        await ground.lock(name);
        await ground.call({ verb: 'destroy', name, confirm: name });
        await makeVolume(ground, name);
        size = small;
      }
      if (use) await ground.open(name);
      size += 1024 * 1024;
    },
    act: async () => {
      await ground.call({ verb: 'grow', name, size });
    },
    prove: async () => {
      assert.equal((await stat(ground.place.container(name))).size, size);
      if (use) await ground.lock(name);
      await proveLocked(ground, name);
      await ground.call({ verb: 'grow', name, size });
    },
    // the one that is asked whether it still answers, by every call
    ...(use ? { cutOff: () => ground.slam(name) } : {}),
    // the journal, while the container has its new length already
    mayLeave: /\.luks\.growing$/,
  };
};

/** Temporary names of key files and header backups, which the next call takes up or away. */
const keyNames = /\/keys\/\.v\.key\.(next|former)$/;

const keys = (ground: Ground): Operation[] => {
  const key = (current: 'keyFile' | 'passphrase') => ({ name: 'v', current });
  const add = (): Promise<unknown> =>
    ground.call({ verb: 'keys-add', ...key('keyFile'), kind: 'passphrase' }, bytes('a second phrase'));
  const remove = (): Promise<unknown> =>
    ground.call({ verb: 'keys-remove', ...key('keyFile') }, bytes('a second phrase'));
  let phrases = ['the first phrase', 'the other phrase'];
  const prove = (): Promise<void> => proveLocked(ground, 'v');
  const locked = (): Promise<void> => ground.lock('v');
  return [
    {
      name: 'add-key',
      header: 'v',
      prepare: async () => {
        await locked();
        await remove().catch(noCode);
      },
      act: async () => {
        await add();
      },
      prove,
      mayLeave: keyNames,
    },
    {
      name: 'change-key',
      header: 'v',
      prepare: async () => {
        await locked();
        await ground.call({ verb: 'keys-add', ...key('keyFile'), kind: 'passphrase' }, bytes(phrases[0] ?? ''));
      },
      act: async () => {
        await ground.call({ verb: 'keys-change', name: 'v' }, ...phrases.map(bytes));
      },
      prove: async () => {
        phrases = phrases.toReversed();
        await prove();
      },
      mayLeave: keyNames,
    },
    {
      name: 'remove-key',
      header: 'v',
      prepare: async () => {
        await locked();
        await add();
      },
      // The key may be gone already where a former call failed after that: then nothing opens with it.
      act: async () => {
        await remove().catch((error: unknown) => {
          if (!(error instanceof ReelError) || error.code !== 'wrong-key') throw error;
        });
      },
      prove,
      mayLeave: keyNames,
    },
    {
      name: 'rotate',
      header: 'v',
      prepare: locked,
      act: async () => {
        await ground.call({ verb: 'keys-rotate', name: 'v' });
      },
      prove,
      mayLeave: keyNames,
    },
  ];
};

const reencrypting = (ground: Ground): Operation => {
  const which = { name: 'rewritten', current: 'keyFile' } as const;
  const status = async () => (await ground.call({ verb: 'reencrypt-status', name: 'rewritten' })).result;
  return {
    name: 'reencrypt',
    header: 'rewritten',
    prepare: async () => {
      if ((await ground.state('rewritten')) === 'absent') await makeVolume(ground, 'rewritten');
      else await ground.lock('rewritten');
    },
    act: async () => {
      await ground.call({ verb: 'reencrypt-start', ...which, dropOtherKeys: true });
      let now = await status();
      while (now.state === 'running') {
        await sleep(50);
        now = await status();
      }
      if (now.state === 'unfinished') {
        throw new ReelError('reencryption-unfinished', { expected: 'a new volume key', got: now.problem ?? 'no word' });
      }
      await ground.call({ verb: 'reencrypt-finish', name: 'rewritten' });
    },
    prove: () => proveLocked(ground, 'rewritten'),
    mayLeave: /\/reencrypt\/UUID\.log$/,
  };
};

const headers = (ground: Ground): Operation[] => [
  {
    name: 'header-backup',
    prepare: () => ground.lock('v'),
    act: async () => {
      await ground.call({ verb: 'header-backup', name: 'v' });
    },
    prove: () => proveLocked(ground, 'v'),
  },
  {
    name: 'header-restore',
    header: 'v',
    prepare: async () => {
      await ground.lock('v');
      await ground.call({ verb: 'header-backup', name: 'v' });
    },
    act: async () => {
      await ground.call({ verb: 'header-restore', name: 'v', force: true });
    },
    prove: () => proveLocked(ground, 'v'),
    mayLeave: /\/containers\/\.v\.restoring$|\/headers\/UUID\.TIME\.replaced\.img$/,
  },
];

const destroying = (ground: Ground): Operation => ({
  name: 'destroy',
  prepare: () => ground.create('doomed'),
  act: async () => {
    await ground.call({ verb: 'destroy', name: 'doomed', confirm: 'doomed' });
  },
  prove: async () => {
    assert.equal(await ground.state('doomed'), 'absent');
    assert.deepEqual(
      (await ground.census()).files.filter((file) => file.includes('doomed')),
      [],
    );
  },
  mayLeave: false,
});

const leasing = (ground: Ground): Operation[] => {
  const add = (): Promise<unknown> => ground.call({ verb: 'lease-add', name: 'v', ...reader });
  const remove = (): Promise<unknown> =>
    ground.call({ verb: 'lease-remove', name: 'v', consumer: 'reader', keepPoint: false });
  const leased = async (): Promise<number> =>
    (await ground.call({ verb: 'lease-list', name: 'v' })).result.leases.length;
  return [
    {
      name: 'lease-add',
      prepare: async () => {
        await ground.open('v');
        await remove();
      },
      act: async () => {
        await add();
      },
      prove: async () => {
        assert.equal(await leased(), 1);
        await ground.proveData('v');
      },
    },
    {
      name: 'lease-remove',
      prepare: async () => {
        await ground.open('v');
        await add();
      },
      act: async () => {
        await remove();
      },
      prove: async () => {
        assert.equal(await leased(), 0);
        await ground.proveData('v');
      },
      mayLeave: false,
    },
  ];
};

/** All of them, in an order in which each finds what it needs. */
export const operationsOn = async (ground: Ground): Promise<readonly Operation[]> => {
  await makeVolume(ground, 'v');
  return [
    creating(ground, 'create', {}),
    creating(ground, 'create xfs', { filesystem: 'xfs', size: 340 * 1024 * 1024, sparse: true }),
    opening(ground, false),
    opening(ground, true),
    locking(ground),
    growing(ground, true),
    growing(ground, false),
    ...keys(ground),
    reencrypting(ground),
    ...headers(ground),
    destroying(ground),
    ...leasing(ground),
  ];
};
