/** Stands for the volumes: what is made, opened, closed, grown and destroyed. */
import { ReelError } from '../../../src/errors.ts';
import type { VolumeDestroyPart } from '../../../src/http/volume-destroy.ts';
import type { VolumeGrowPart } from '../../../src/http/volume-grow.ts';
import type { VolumeLeasesPart } from '../../../src/http/volume-leases.ts';
import type { VolumeLockPart } from '../../../src/http/volume-lock.ts';
import type { CreateOptions, VolumesPart, VolumeView } from '../../../src/http/volumes.ts';
import type { Seen } from './seen.ts';

const volume = (name: string, changes: Partial<VolumeView> = {}): VolumeView => ({
  name,
  state: 'open',
  container: `/storage/containers/${name}.luks`,
  blockDevice: null,
  mountPoint: `/mount/${name}`,
  uuid: '8a2f4c1e-0000-4000-8000-000000000001',
  type: 'luks2',
  cipher: 'aes-xts-plain64',
  engine: 'userspace',
  size: 1 << 30,
  keyFile: null,
  key: 'passphrase',
  createdAt: '2026-11-21T00:00:00.000Z',
  device: '/dev/loop0',
  directIo: true,
  readOnly: false,
  blockPid: 7,
  growing: null,
  header: null,
  failure: null,
  conditions: [],
  ...{ netSize: 1 << 30, capacity: 1 << 29, available: 1 << 28, filesystem: 'ext4', sparse: false, progress: null },
  ...changes,
});

export const volumesStandIn = ({ note }: Seen) => {
  const volumes: VolumesPart = {
    list: async () => [volume('main')],
    get: async (name) => {
      if (name === 'main') return volume(name);
      throw new ReelError('not-found', { expected: 'a volume', got: name });
    },
    create: async (name, options: CreateOptions, secret) => {
      note('create', name, options, secret);
      return volume(name);
    },
    open: async (name, options, secret) => {
      note('open', name, options, secret);
      return volume(name);
    },
  };
  const closing: VolumeLockPart = {
    lock: async (name, options) => {
      note('lock', name, options);
      return { ...volume(name, { state: 'locked' }), recordings: options.drain ? ['cam1'] : [] };
    },
    slam: async (name, options) => {
      note('slam', name, options);
      return { ...volume(name, { state: 'locked' }), recordings: ['cam1'], acts: [] };
    },
    holders: async () => [],
  };
  const leases: VolumeLeasesPart = {
    list: async () => [],
    add: async (name, { path = 'consumers/x', ...options }) => {
      note('lease', name, { path, ...options });
      return { ...options, path, createdAt: null, state: 'mounted', mountPoint: '/mount/leases/main/x' };
    },
    remove: async (name, consumer) => {
      note('unlease', name, consumer);
      return consumer !== 'gone';
    },
  };
  const growth: VolumeGrowPart = {
    grow: async (name, size = 2 ** 31) => {
      note('grow', name, { size });
      const grown = { from: 1 << 30, to: size, filesystem: 'grown' as const, filesystemSize: size, reason: null };
      return { volume: volume(name, { size }), grown };
    },
  };
  const volumeDestroy: VolumeDestroyPart = {
    destroy: async (name, confirm) => {
      note('destroy', name, { confirm });
      return {
        ...{ name, container: '/c', uuid: null, resumed: false, keyslots: [0], headerBytes: 1, keyFile: null },
        ...{ backups: { files: 2, bytes: 2 }, containerBytes: 1, mountPoint: null, notes: [], notGuaranteed: ['x'] },
      };
    },
  };
  return { volumes, closing, leases, growth, volumeDestroy };
};
