/** Stands for what unlocks a volume: its header, its keys, what opens it without an admin. */
import type { VolumeHeadersPart } from '../../../src/http/volume-headers.ts';
import type { VolumeKeysPart } from '../../../src/http/volume-keys.ts';
import type { ReencryptPart } from '../../../src/http/volume-reencrypt.ts';
import type { VolumeUnlockPart } from '../../../src/http/volume-unlock.ts';
import type { Seen } from './seen.ts';

export const volumeKeysStandIn = ({ note, secrets }: Seen) => {
  const state = {
    type: 'luks2' as const,
    uuid: 'u',
    copies: [{ place: 'primary' as const, sequence: '3', problem: null }],
  };
  const listed = { places: ['/a/headers'], backups: [] };
  const volumeHeaders: VolumeHeadersPart = {
    list: async () => listed,
    backUp: async (name) => {
      note('header-backup', name);
      return { ...listed, removedFiles: 1 };
    },
    compare: async (name, backup) => {
      note('header-compare', name, { backup });
      const keyslots = { both: [0], containerOnly: [], backupOnly: [] };
      return { backupName: 'b', same: true, container: state, backup: state, keyslots, differences: [] };
    },
    check: async () => ({
      ...{ container: '/c', state, size: 1, leastSize: 1, registeredSize: 1, backups: [], ok: true, problems: [] },
    }),
    restore: async (name, options) => {
      note('header-restore', name, options);
      return { restored: 'b', replaced: 'r', bytes: 1, keyslots: { broughtBack: [], takenAway: [] } };
    },
    repair: async (name) => {
      note('header-repair', name);
      return { repaired: true, before: state, after: state };
    },
  };
  const autoOpen = { autoOpen: true, held: false, last: null, retryAt: null };
  const unlock: VolumeUnlockPart = {
    status: async () => autoOpen,
    set: async (name, on) => {
      note('auto-open', name, on);
      return { ...autoOpen, autoOpen: on };
    },
    tangKeys: async (url) => ({ url, thumbprints: ['A'.repeat(43)] }),
    bind: async (name, to, current) => {
      note('bind', name, to, current);
      return { slot: 1, added: true, binding: to.pin };
    },
    unbind: async (name, slot, current) => {
      note('unbind', name, slot, current);
      return { slot, keyFileRemoved: false };
    },
  };
  const recoveryKey = Buffer.from('marked-recovery-key');
  const keys: VolumeKeysPart = {
    list: async () => ({ type: 'luks2', reencrypting: false, keys: [] }),
    add: async (name, key, current) => {
      note('key add', name, key === 'keyFile' ? key : key.toString('latin1'), current);
      return { slot: 1, added: true, removed: [] };
    },
    change: async (name, old, fresh) => {
      note('key change', name, old.toString('latin1'), fresh);
      return { slot: 2, added: true, removed: [1], left: [2] };
    },
    remove: async (name, target, current) => {
      note('key remove', name, typeof target === 'number' ? target : target.toString('latin1'), current);
      return { slot: 1, keyFileRemoved: false };
    },
    rotate: async (name) => {
      note('key rotate', name);
      return { slot: 1, added: true, removed: [0] };
    },
    recovery: async (name, current) => {
      note('key recovery', name, undefined, current);
      secrets.push(recoveryKey);
      return recoveryKey;
    },
  };
  const reencryption: ReencryptPart = {
    status: async () => ({ state: 'none', progress: null, problem: null }),
    begin: async (name, options, current) => {
      note('reencrypt', name, options, current);
      return { state: 'running', progress: null, problem: null };
    },
    resume: async (name, current) => {
      note('reencrypt resume', name, undefined, current);
      return { state: 'running', progress: null, problem: null };
    },
  };
  return { volumeHeaders, unlock, keys, reencryption };
};
