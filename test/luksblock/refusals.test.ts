/** Every refusal of the command line contract: its exit code, its line of JSON, and no process left behind. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { damage, editLuks2, grow, luks1, luks2, MiB, patch } from './containers.ts';
import { fastPbkdf, keep, loop, luksblock, must, run, serve, temporary } from './support.ts';

const stack = new AsyncDisposableStack();
let directory = '';
let key = '';
let mount = '';

before(async () => {
  directory = await temporary(stack);
  key = path.join(directory, 'key');
  mount = path.join(directory, 'mount');
  await mkdir(mount);
  await keep(key, randomBytes(32));
});
after(() => stack.disposeAsync());

const file = (name: string) => path.join(directory, name);

const refused = async (code: number, error: string, container: string, args: readonly string[] = [], keyFile = key) => {
  const outcome = await luksblock(['--container', container, '--mount', mount, ...args], keyFile);
  if (outcome.code === 0) await run('umount', [mount]);
  assert.equal(outcome.code, code, outcome.stderr);
  assert.equal(outcome.stdout, '');
  assert.equal(outcome.stderr.trim().split('\n').length, 1);
  const line = JSON.parse(outcome.stderr) as { error: string; message: string; expected: string; got: string };
  assert.equal(line.error, error);
  assert.equal(line.message, `Expected ${line.expected}, got ${line.got}`);
  assert.equal((await run('mountpoint', ['-q', mount])).code, 32);
  return line;
};

type Make = (container: string) => Promise<unknown>;
const make = (container: string, args: readonly string[] = []) => luks2(container, key, 20 * MiB, args);
const edited =
  (edit: Parameters<typeof editLuks2>[1]): Make =>
  async (container) => {
    await make(container);
    await editLuks2(container, edit);
  };
const segment = (change: Record<string, unknown>) =>
  edited((metadata) => Object.assign(metadata.segments['0'] ?? {}, change));

const cases: readonly (readonly [string, number, string, Make])[] = [
  ['random bytes', 10, 'not-luks', (c) => writeFile(c, randomBytes(MiB))],
  ['an empty file', 10, 'not-luks', (c) => writeFile(c, '')],
  [
    'a reencryption that has begun',
    12,
    'reencryption',
    async (c) => {
      await make(c);
      const how = ['--init-only', '--force-offline-reencrypt', '-q', ...fastPbkdf];
      await must('cryptsetup', ['reencrypt', ...how, '--key-file', key, c]);
    },
  ],
  [
    'an unfinished LUKS1 reencryption',
    12,
    'reencryption',
    async (c) => {
      await luks1(c, key, 4 * MiB);
      await patch(c, 4, Buffer.from([0xde, 0xad]));
    },
  ],
  [
    'integrity',
    13,
    'integrity',
    segment({ integrity: { type: 'hmac(sha256)', journal_encryption: 'none', journal_integrity: 'none' } }),
  ],
  [
    'an unknown requirement',
    14,
    'unknown-requirement',
    edited((metadata) => Object.assign(metadata.config, { requirements: { mandatory: ['inline-hw-tags'] } })),
  ],
  [
    'a detached header',
    14,
    'unknown-requirement',
    async (c) => {
      await writeFile(`${c}.data`, Buffer.alloc(MiB));
      await must('cryptsetup', ['luksFormat', '-q', ...fastPbkdf, '--header', c, '--key-file', key, `${c}.data`]);
      await grow(c, 32 * MiB);
    },
  ],
  ['a segment type of another kind', 14, 'unknown-requirement', segment({ type: 'hw-opal-crypt' })],
  [
    'two segments',
    14,
    'unknown-requirement',
    edited((metadata) => {
      Object.assign(metadata.segments['0'] ?? {}, { size: String(MiB) });
      metadata.segments['1'] = { ...metadata.segments['0'], offset: String(17 * MiB), size: 'dynamic' };
      const digests = (metadata as unknown as { digests: Record<string, { segments: string[] }> }).digests;
      for (const digest of Object.values(digests)) digest.segments.push('1');
    }),
  ],
  [
    'a payload that is not whole sectors',
    15,
    'unaligned-size',
    async (c) => {
      await make(c, ['--sector-size', '4096']);
      await grow(c, 20 * MiB + 512);
    },
  ],
  ['a payload cut off', 15, 'unaligned-size', segment({ size: String(64 * MiB) })],
  ['another cipher', 16, 'cipher', (c) => make(c, ['--cipher', 'aes-cbc-essiv:sha256'])],
  [
    'another cipher in LUKS1',
    16,
    'cipher',
    async (c) => {
      await luks1(c, key, 4 * MiB);
      await patch(c, 40, Buffer.from('cbc-plain64'));
    },
  ],
  [
    'a keyslot under a null cipher',
    16,
    'cipher',
    edited((metadata) => Object.assign(metadata.keyslots['0']?.area ?? {}, { encryption: 'cipher_null-ecb' })),
  ],
  [
    'both header copies damaged',
    17,
    'header-damaged',
    async (c) => {
      await make(c);
      await damage(c, 5000, 64);
      await damage(c, 0x4000 + 5000, 64);
    },
  ],
  ['metadata that no LUKS2 has', 17, 'header-damaged', edited((metadata) => Object.assign(metadata, { segments: {} }))],
  [
    'an erased container',
    18,
    'no-keyslot',
    async (c) => {
      await make(c);
      await must('cryptsetup', ['luksErase', '-q', c]);
    },
  ],
];
for (const [name, code, error, prepare] of cases)
  test(`${name}: ${error}`, async () => {
    const container = file(`case-${code}-${name.replaceAll(' ', '-')}`);
    await prepare(container);
    await refused(code, error, container);
  });

test('a wrong key, and a right key for an empty keyslot', async () => {
  const container = file('keys');
  await make(container);
  const wrong = file('wrong');
  await keep(wrong, 'not the key');
  const line = await refused(11, 'wrong-key', container, [], wrong);
  assert.ok(!JSON.stringify(line).includes('not the key'));
  await refused(18, 'no-keyslot', container, ['--key-slot', '7']);
});

test('no key bytes, and more than 8 MiB of them', async () => {
  const container = file('key-lengths');
  await make(container);
  await writeFile(file('empty'), '');
  await refused(2, 'usage', container, [], file('empty'));
  await writeFile(file('long'), Buffer.alloc(8 * MiB + 1, 1));
  await refused(2, 'usage', container, [], file('long'));
});

test('usage: unknown, missing and malformed arguments', async () => {
  for (const args of [['--frob'], [], ['--container', 'x', '--mount', mount], ['--container', 'x', 'y']]) {
    const outcome = await run(path.resolve('build/Release/luksblock'), args);
    assert.equal(outcome.code, 2);
    assert.equal((JSON.parse(outcome.stderr) as { error: string }).error, 'usage');
  }
  await refused(2, 'usage', 'x', ['--key-slot', '1x']);
  await refused(2, 'usage', 'x', ['--container-fd', '1x']);
  await refused(20, 'io', 'x', ['--container-fd', '99']);
});

test('a container that is not there or no file, and a mount point that is no directory', async () => {
  await refused(20, 'io', file('absent'));
  await refused(20, 'io', directory);
  const container = file('mountless');
  await make(container);
  const outcome = await luksblock(['--container', container, '--mount', file('absent')], key);
  assert.equal(outcome.code, 21);
});

test('in use: another block plane, a loop device, a header writer', async () => {
  const container = file('busy');
  await make(container);
  const served = await serve(stack, container, key);
  await refused(19, 'in-use', container);
  await refused(19, 'in-use', container, ['--read-only']);
  await served.close();

  await using device = new AsyncDisposableStack();
  await loop(device, container, 512);
  await refused(19, 'in-use', container);
  await device.disposeAsync();

  const locked = await run('flock', [
    ...['-x', container, process.execPath, '--eval'],
    `const r = require('node:child_process').spawnSync(${JSON.stringify(path.resolve('build/Release/luksblock'))},
      ['--container', ${JSON.stringify(container)}, '--mount', ${JSON.stringify(mount)}, '--key-fd', '0'],
      { input: 'x' }); process.stderr.write(r.stderr); process.exit(r.status);`,
  ]);
  assert.equal(locked.code, 19, locked.stderr);
  assert.ok((await stat(container)).size === 20 * MiB);
});

test('cryptsetup works on the header while the volume is open', async () => {
  const container = file('header-work');
  await make(container);
  const served = await serve(stack, container, key);
  const more = file('more');
  await keep(more, randomBytes(32));
  await must('cryptsetup', ['luksAddKey', '-q', ...fastPbkdf, '--key-file', key, container, more], { timeout: 20_000 });
  await must('cryptsetup', ['luksDump', container], { timeout: 20_000 });
  await served.close();
  await (await serve(stack, container, more)).close();
});
