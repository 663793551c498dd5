/**
 * The verbs of the helper: what the daemon may ask and what comes back. docs/architecture.md has the frame around them.
 * Secrets are no part of the JSON: they travel as the bytes behind it, in the order `secrets` names them.
 */
import type { Static } from 'typebox';
import { type GrowResults, growVerbs } from './protocol/grow.ts';
import { type HeaderResults, headerVerbs } from './protocol/header.ts';
import { type KeysResults, keysVerbs } from './protocol/keys.ts';
import { type LeaseResults, leaseVerbs } from './protocol/lease.ts';
import { type MachineResults, machineVerbs } from './protocol/machine.ts';
import { type ReencryptResults, reencryptVerbs } from './protocol/reencrypt.ts';
import { type SlamResults, slamVerbs } from './protocol/slam.ts';
import { type UnlockResults, unlockVerbs } from './protocol/unlock.ts';
import { type VolumeResults, volumeVerbs } from './protocol/volume.ts';
import { type WatchResults, watchVerbs } from './protocol/watch.ts';

/** Every verb with its schema, its secrets, and a time limit longer than every limit inside the helper, which answers with the reason. */
export const verbs = {
  ...machineVerbs,
  ...volumeVerbs,
  ...keysVerbs,
  ...reencryptVerbs,
  ...leaseVerbs,
  ...growVerbs,
  ...watchVerbs,
  ...slamVerbs,
  ...headerVerbs,
  ...unlockVerbs,
};

export type Verb = keyof typeof verbs;
export type Requests = { [V in Verb]: Static<(typeof verbs)[V]['schema']> };
export type Request = Requests[Verb];
export type Results = MachineResults &
  VolumeResults &
  KeysResults &
  ReencryptResults &
  LeaseResults &
  GrowResults &
  WatchResults &
  SlamResults &
  HeaderResults &
  UnlockResults;
