/** What tests of a new volume key have in common. */
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReencryptReport } from '../../src/helper/protocol/reencrypt.ts';
import { emulated, type Helper } from '../helper/harness.ts';
import type { KeyedVolume } from './keys.ts';

/** Where the data of a LUKS2 container begins. */
const dataOffset = 16 * 1024 * 1024;

/** Milliseconds between two looks: each costs as much as a piece of the work where every instruction is emulated. */
const between = emulated ? 500 : 20;

export const start = (name: string, dropOtherKeys = false) =>
  ({ verb: 'reencrypt-start', name, current: 'keyFile', dropOtherKeys }) as const;

export const resume = (name: string) => ({ verb: 'reencrypt-resume', name, current: 'keyFile' }) as const;

export const status = async ({ client }: Helper, name: string): Promise<ReencryptReport> =>
  (await client.call({ verb: 'reencrypt-status', name })).result;

/** Waits until all is rewritten, and has what comes after done. */
export const finish = async (helper: Helper, name: string): Promise<void> => {
  let now = await status(helper, name);
  for (; now.state === 'running'; now = await status(helper, name)) await sleep(between);
  assert.equal(now.state, 'rewritten', now.problem ?? '');
  assert.equal((await helper.client.call({ verb: 'reencrypt-finish', name })).result.finished, true);
  assert.equal((await status(helper, name)).state, 'none');
};

/** 8 KiB of the container's data, by default its first. */
export const ciphertext = async ({ container }: KeyedVolume, offset = 0): Promise<Buffer> => {
  const file = await open(container, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(8192), 0, 8192, dataOffset + offset);
    return buffer;
  } finally {
    await file.close();
  }
};
