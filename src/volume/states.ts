import type { ReelError } from '../errors.ts';

/** How a container becomes a block device. */
export type EngineName = 'kernel' | 'userspace';

/** The states of a volume as the daemon shows them; docs/volumes.md has the picture. */
export type VolumeState =
  | 'absent'
  | 'creating'
  | 'locked'
  | 'opening'
  | 'open'
  | 'draining'
  | 'locking'
  | 'destroying'
  | 'failed';

/** What may follow what. Anything else is a defect of ours. */
const following: Readonly<Record<VolumeState, readonly VolumeState[]>> = {
  absent: ['creating', 'opening', 'locking', 'locked', 'open', 'destroying', 'failed'],
  creating: ['locked', 'open', 'absent', 'failed'],
  locked: ['opening', 'open', 'failed', 'absent', 'locking', 'destroying'],
  opening: ['open', 'locked', 'failed', 'absent'],
  open: ['draining', 'locking', 'failed', 'locked', 'absent'],
  draining: ['locking', 'open', 'failed'],
  locking: ['locked', 'open', 'failed', 'absent'],
  destroying: ['absent', 'failed', 'locked', 'open'],
  failed: ['destroying', 'opening', 'draining', 'locking', 'locked', 'open', 'absent', 'creating'],
};

export const mayFollow = (from: VolumeState, to: VolumeState): boolean => following[from].includes(to);

/** Why a volume is in `failed` or `absent`, and what the admin does about it. */
export interface Failure {
  readonly error: ReturnType<ReelError['toJSON']>;
  readonly nextStep: string;
}
