/** A configuration with its real file, made anew for each test of the file that uses it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigNews } from '../../src/config/file/change.ts';
import { defaultSettings, type Settings } from '../../src/config/settings.ts';
import { ConfigStore } from '../../src/config/store.ts';
import { ReelError } from '../../src/errors.ts';

export let folder: string;
export let file: string;
export let store: ConfigStore;
export let news: ConfigNews[];

const border: Settings = { ...defaultSettings, webhookSecretFile: '/etc/secret' };
export const open = (
  changes: { given?: string[]; settings?: Partial<Settings>; again?: boolean; trialMs?: number } = {},
) => {
  const { given = [], settings = {}, ...more } = changes;
  return ConfigStore.open({
    ...{ file, history: path.join(folder, 'history'), now: Date.now },
    border: { ...border, ...settings },
    given: new Set(given),
    ...more,
  });
};
export const reopen = async (...changes: Parameters<typeof open>): Promise<void> => {
  await store.close();
  store = await open(...changes);
  news = [];
  store.start((each) => news.push(each));
};
export const failsWith = (code: string, words?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ReelError);
  assert.equal(error.code, code);
  if (words !== undefined) assert.match(error.message, words);
  return true;
};
export const until = async (look: () => boolean, what: string): Promise<void> => {
  for (const end = performance.now() + 10_000; !look(); await sleep(20))
    assert.ok(performance.now() < end, `${what}; news: ${JSON.stringify(news)}`);
};
export const change = (text: string, ifMatch = '*') => store.change({ text, by: 'test', ifMatch });
export const patch = (values: Record<string, unknown>, ifMatch?: string) =>
  store.change({ patch: values, by: 'test', ifMatch });

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'rv-config-'));
  file = path.join(folder, 'reelvault.yaml');
  news = [];
  store = await open();
  store.start((each) => news.push(each));
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});
