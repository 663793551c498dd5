/** What a cryptsetup that misbehaves turns into. The fakes stand in for what cannot be had on demand: no memory, a hang. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { systemPath } from '../../src/exec/environment.ts';
import { Luks } from '../../src/luks/luks.ts';
import { fastPbkdf, TestDirectory } from './containers.ts';

const directory = new TestDirectory();
after(() => directory.remove());
const fixtures = path.resolve(import.meta.dirname, '../../fixtures/bin');
const key = Buffer.from('hush, a phrase of some length');
let file = '';
before(async () => {
  file = directory.blank();
  await new Luks().format(file, key, { type: 'luks2', pbkdf: fastPbkdf });
});

const withFake = (fake: string, env: Record<string, string> = {}): Luks =>
  new Luks({ env: { PATH: `${path.join(fixtures, fake)}:${systemPath}`, ...env }, kdfTimeoutMs: 500 });

test('each exit code becomes the error it stands for', async () => {
  const codes = { 2: 'wrong-key', 3: 'out-of-memory', 5: 'volume-busy', 1: 'command-failed', 4: 'command-failed' };
  for (const [exitCode, code] of Object.entries(codes)) {
    const luks = withFake('cryptsetup-exits', { FAKE_EXIT_CODE: exitCode });
    await assert.rejects(luks.testKey(file, key), { code });
  }
});

test('a header that cryptsetup cannot read, though it is whole, is a matter of the storage', async () => {
  const words = [
    `Device ${file} is not a valid LUKS device.`,
    'Detected attempt for concurrent LUKS2 metadata update. Aborting operation.',
  ];
  for (const said of words) {
    const luks = withFake('cryptsetup-exits', { FAKE_EXIT_CODE: '1', FAKE_TEXT: said });
    await assert.rejects(luks.testKey(file, key), { code: 'io-error' });
  }
});

test('a failure without a reason, after the slot was removed, is a matter of the storage', async () => {
  const next = Buffer.from('a phrase that will be gone');
  const slot = await new Luks().addKey(file, key, next, fastPbkdf);
  await assert.rejects(withFake('cryptsetup-exits', { FAKE_EXIT_CODE: '1' }).removeSlot(file, slot), {
    code: 'io-error',
  });
  await assert.rejects(new Luks().removeSlot(file, slot), { code: 'no-keyslot' });
});

test('a reencryption that cannot write its beginning is a matter of the storage', async () => {
  const said = 'Failed to initialize LUKS2 reencryption in metadata.';
  const luks = withFake('cryptsetup-exits', { FAKE_EXIT_CODE: '1', FAKE_TEXT: said });
  await assert.rejects(luks.beginReencryption({ file }, key, { slot: 0, pbkdf: fastPbkdf }), { code: 'io-error' });
});

test('a container between two volume keys: the storage that fails is told, and not the state of the container', async () => {
  const begun = directory.blank();
  await new Luks().format(begun, key, { type: 'luks2', pbkdf: fastPbkdf });
  await new Luks().beginReencryption({ file: begun }, key, { slot: 0, pbkdf: fastPbkdf });
  const said = (text: string): Luks => withFake('cryptsetup-exits', { FAKE_EXIT_CODE: '1', FAKE_TEXT: text });
  await assert.rejects(said(`Device ${begun} is not a valid LUKS device.`).testKey(begun, key), { code: 'io-error' });
  await assert.rejects(said('No usable keyslot is available.').testKey(begun, key), { code: 'luks-unsupported' });
});

test('a cryptsetup that was ended is not explained by what lies in the container', async () => {
  await assert.rejects(withFake('cryptsetup-ended').testKey(file, key), { code: 'command-failed' });
});

test('a kill by the kernel reads as no memory', async () => {
  await assert.rejects(withFake('cryptsetup-killed').testKey(file, key), { code: 'out-of-memory' });
});

test('a hang ends with the time limit, and the next call gets its turn', async () => {
  const luks = withFake('cryptsetup-hangs', { FAKE_PID_FILE: directory.name() });
  await assert.rejects(luks.testKey(file, key), { code: 'command-timeout' });
  assert.equal(await luks.exclusive(async () => 'next'), 'next');
});

test('no cryptsetup', async () => {
  await assert.rejects(new Luks({ env: { PATH: '/nowhere' } }).dump(file), { code: 'command-missing' });
});

test('a key is neither in the arguments nor in the environment, of any call', async () => {
  const record = directory.name();
  const luks = withFake('cryptsetup-records', { FAKE_RECORD: record });
  const container = directory.blank();
  const next = Buffer.from('another-hush-entirely');
  await luks.format(container, key, { type: 'luks2', pbkdf: fastPbkdf });
  await luks.addKey(container, key, next, fastPbkdf);
  await luks.testKey(container, next);
  await luks.changeKey(container, next, Buffer.from('third-hush-entirely'), fastPbkdf);
  await luks.removeKey(container, key);
  const seen = readFileSync(record, 'utf8');
  assert.match(seen, /luksFormat[\s\S]*luksAddKey[\s\S]*luksChangeKey[\s\S]*luksKillSlot/);
  assert.doesNotMatch(seen, /hush/);
  // A header may come from somebody else and name a plugin to load.
  assert.match(seen, /--test-passphrase[\s\S]*--disable-external-tokens/);
});

test('one key derivation at a time', async () => {
  const luks = new Luks();
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  const failing = luks.exclusive(() => Promise.reject(new Error('no')));
  await Promise.all([assert.rejects(failing), ...[1, 2, 3].map(() => luks.exclusive(work))]);
  assert.equal(most, 1);
});

test('a key test waits for its turn', async () => {
  const luks = new Luks();
  const { promise, resolve } = Promise.withResolvers<void>();
  const order: string[] = [];
  const first = luks.exclusive(async () => {
    await promise;
    order.push('first');
  });
  const second = luks.testKey(file, key).then(() => order.push('second'));
  await luks.dump(file); // as long as the test itself would take, and longer
  await luks.dump(file);
  resolve();
  await Promise.all([first, second]);
  assert.deepEqual(order, ['first', 'second']);
});
