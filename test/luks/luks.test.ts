import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { after, test } from 'node:test';
import { run } from '../../src/exec/run.ts';
import { guardOf, Luks, pbkdfForRandomKey } from '../../src/luks/luks.ts';
import type { FormatOptions } from '../../src/luks/types.ts';
import { fastPbkdf, TestDirectory } from './containers.ts';

const directory = new TestDirectory();
after(() => directory.remove());
const luks = new Luks();
// Bytes that end a passphrase for tools that read lines or C strings.
const key = Buffer.from('one\ntwo\0three\n');
const other = Buffer.from('\n\0other');

const container = async (options: Partial<FormatOptions> = {}): Promise<string> => {
  const file = directory.blank();
  await luks.format(file, key, { type: 'luks2', pbkdf: fastPbkdf, ...options });
  return file;
};

test('format makes what was asked for', async () => {
  const uuid = '0b5a5a53-4c65-4c39-8d1e-2a0c5a4f3b21';
  for (const sectorSize of [512, 1024, 2048, 4096] as const) {
    for (const keyBits of [256, 512] as const) {
      const file = directory.blank();
      const options = { type: 'luks2', pbkdf: fastPbkdf, sectorSize, keyBits, label: 'vol-1', uuid } as const;
      const header = await luks.format(file, key, options);
      const { type, label, cipher, dataOffset, dataSize } = header;
      assert.deepEqual(
        {
          type,
          label,
          cipher,
          dataOffset,
          dataSize,
          uuid: header.uuid,
          sectorSize: header.sectorSize,
          keyBits: header.keyBits,
        },
        {
          type: 'luks2',
          label: 'vol-1',
          cipher: 'aes-xts-plain64',
          dataOffset: 16 << 20,
          dataSize: 'dynamic',
          uuid,
          sectorSize,
          keyBits,
        },
      );
      assert.deepEqual([header.tokens, header.requirements, header.integrity], [[], [], null]);
    }
  }
});

test('LUKS1: format, dump, keys', async () => {
  const file = directory.blank();
  const header = await luks.format(file, key, { type: 'luks1', pbkdf: fastPbkdf, keyBits: 256 });
  assert.deepEqual([header.type, header.keyBits, header.sectorSize, header.dataOffset], ['luks1', 256, 512, 2 << 20]);
  assert.equal(header.cipher, 'aes-xts-plain64');
  assert.equal(await luks.addKey(file, key, other, fastPbkdf), 1);
  assert.deepEqual(
    (await luks.dump(file)).keyslots.map(({ slot, iterations }) => [slot, iterations]),
    [
      [0, 1000],
      [1, 1000],
    ],
  );
  assert.equal(await luks.removeKey(file, key), 0);
  await assert.rejects(luks.removeSlot(file, 1), { code: 'last-keyslot' });
});

test('argon2id with the parameters asked for', async () => {
  const file = await container({ pbkdf: { type: 'argon2id', memoryKiB: 1024, parallel: 2, iterations: 4 } });
  const [slot] = (await luks.dump(file)).keyslots;
  const cost = { kdf: 'argon2id', iterations: 4, memoryKiB: 1024, parallel: 2 };
  assert.deepEqual(slot, { slot: 0, usable: true, priority: 'normal', ...cost });
});

test('keys: every byte counts', async () => {
  const file = await container();
  assert.equal(await luks.testKey(file, key), 0);
  for (const wrong of ['one', 'one\ntwo', 'one\ntwo\0three', 'one\ntwo\0three\n\n']) {
    await assert.rejects(luks.testKey(file, Buffer.from(wrong)), { code: 'wrong-key' });
  }
  assert.equal(await luks.addKey(file, key, other, fastPbkdf), 1);
  await assert.rejects(luks.addKey(file, Buffer.from('no'), other, fastPbkdf), { code: 'wrong-key' });
  assert.equal(await luks.testKey(file, other, 1), 1);
  await assert.rejects(luks.testKey(file, other, 0), { code: 'wrong-key' });
  const third = randomBytes(64);
  assert.equal(await luks.changeKey(file, other, third, pbkdfForRandomKey), 1);
  await assert.rejects(luks.testKey(file, other), { code: 'wrong-key' });
  assert.equal(await luks.removeKey(file, third), 1);
  assert.equal(await luks.testKey(file, key), 0);
});

test('the last keyslot stays', async () => {
  const file = await container();
  await assert.rejects(luks.removeKey(file, key), { code: 'last-keyslot' });
  await assert.rejects(luks.removeSlot(file, 0), { code: 'last-keyslot' });
  await assert.rejects(luks.removeSlot(file, 5), { code: 'no-keyslot' });
  assert.equal(await luks.testKey(file, key), 0);
});

test('what is refused before cryptsetup is asked', async () => {
  const file = directory.blank();
  const bad = (options: Partial<FormatOptions>, bytes = key): Promise<unknown> =>
    assert.rejects(luks.format(file, bytes, { type: 'luks2', pbkdf: fastPbkdf, ...options }), {
      code: 'invalid-argument',
    });
  await bad({}, Buffer.alloc(0));
  await bad({}, Buffer.alloc((8 << 20) + 1));
  await bad({ label: '--label'.padEnd(48, 'x') });
  await bad({ uuid: 'nonsense' });
  await bad({ type: 'luks1', sectorSize: 4096 });
  await bad({ type: 'luks1', pbkdf: { type: 'argon2id', memoryKiB: 1024, parallel: 1, iterations: 4 } });
  writeFileSync(file, Buffer.alloc((20 << 20) + 512));
  await bad({ sectorSize: 4096 });
  const taken = await container();
  await assert.rejects(luks.format(taken, key, { type: 'luks2', pbkdf: fastPbkdf }), { code: 'already-exists' });
});

test('not a container, no container, a damaged one', async () => {
  const blank = directory.blank();
  assert.equal(await luks.isLuks(blank), null);
  await assert.rejects(luks.testKey(blank, key), { code: 'not-luks' });
  await assert.rejects(luks.dump(blank), { code: 'not-luks' });
  await assert.rejects(luks.erase(blank), { code: 'not-luks' });
  const absent = directory.name();
  for (const call of [() => luks.isLuks(absent), () => luks.testKey(absent, key), () => luks.dump(absent)]) {
    await assert.rejects(call, { code: 'not-found' });
  }
  const file = await container();
  const fd = openSync(file, 'r+');
  // Both headers: cryptsetup mends one from the other.
  for (const offset of [0x100, 0x4100]) writeSync(fd, randomBytes(4096), 0, 4096, offset);
  closeSync(fd);
  assert.equal(await luks.isLuks(file), null);
  await assert.rejects(luks.testKey(file, key), { code: 'luks-damaged' });
  await assert.rejects(luks.dump(file), { code: 'luks-damaged' });
});

test('header backup, erase, restore', async () => {
  const file = await container();
  const backup = directory.name();
  await luks.headerBackup(file, backup);
  assert.equal(statSync(backup).mode & 0o777, 0o400);
  await assert.rejects(luks.headerBackup(file, backup), { code: 'already-exists' });
  assert.deepEqual(await luks.erase(file), [0]);
  assert.deepEqual((await luks.dump(file)).keyslots, []);
  assert.deepEqual(await luks.erase(file), []);
  await assert.rejects(luks.testKey(file, key), { code: 'no-keyslot' });
  await assert.rejects(luks.headerRestore(await container(), backup), { code: 'invalid-argument' });
  await luks.headerRestore(file, backup);
  assert.equal(await luks.testKey(file, key), 0);
});

test('tokens and the guard against a second mkfs', async () => {
  const file = await container();
  assert.equal(guardOf(await luks.dump(file)), null);
  await luks.writeGuard(file, 'created');
  assert.equal(guardOf(await luks.dump(file)), 'created');
  await luks.writeGuard(file, 'formatted');
  assert.equal(guardOf(await luks.dump(file)), 'formatted');
  const body = { type: 'other', keyslots: [], note: 'x' };
  const id = await luks.importToken(file, body);
  assert.deepEqual((await luks.exportToken(file, id)).body, body);
  await luks.removeToken(file, id);
  await assert.rejects(luks.exportToken(file, id), { code: 'not-found' });
  const old = directory.blank();
  await luks.format(old, key, { type: 'luks1', pbkdf: fastPbkdf });
  await assert.rejects(luks.writeGuard(old, 'created'), { code: 'luks-unsupported' });
});

test('a container by descriptor: the path that the jail has proven', async () => {
  const file = await container();
  const fd = openSync(file, 'r+');
  const byFd = `/proc/${process.pid}/fd/${fd}`;
  assert.equal(await luks.addKey(byFd, key, other, fastPbkdf), 1);
  closeSync(fd);
  assert.equal(await luks.testKey(file, other), 1);
});

test('the bytes of a key stay as the caller has them', async () => {
  const file = await container();
  const mine = Buffer.from(key);
  await luks.addKey(file, mine, other, fastPbkdf);
  assert.deepEqual(mine, key);
  assert.equal(readFileSync(file).includes(mine), false);
});

test('a header in the middle of a reencryption says so', async () => {
  const file = await container();
  const options = [
    '--init-only',
    '--force-offline-reencrypt',
    '--pbkdf-force-iterations',
    '1000',
    '--pbkdf',
    'pbkdf2',
    '--key-file',
    '-',
  ];
  await run('cryptsetup', ['--batch-mode', 'reencrypt', ...options, file], { input: key, timeoutMs: 60_000 });
  assert.deepEqual((await luks.dump(file)).requirements, ['online-reencrypt-v2']);
  await assert.rejects(luks.addKey(file, Buffer.from('no'), other, fastPbkdf), { code: 'luks-unsupported' });
  await assert.rejects(luks.removeSlot(file, 9), { code: 'no-keyslot' });
});
