/**
 * Against dm-crypt itself, in a virtual machine: what we write, the kernel reads, and the other way round. A segment's
 * iv_tweak is given to dm-crypt by hand (`dmsetup`): cryptsetup itself ignores it, and a segment's fixed size too, so the hash
 * covers the length that we serve. See docs/decisions/002.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { missingForVm, Vm } from '../vm/vm.ts';
import { editLuks2, luks1, luks2, MiB, writePieces } from './containers.ts';
import { keep, serve, temporary } from './support.ts';

interface Case {
  readonly name: string;
  readonly ivTweak?: { readonly iv_tweak: string; readonly sectorSize: number };
  readonly make: (file: string, key: string) => Promise<void>;
}
const segment =
  (sectorSize: number, change: Record<string, string>): Case['make'] =>
  async (file, key) => {
    await luks2(file, key, 18 * MiB, ['--sector-size', String(sectorSize)]);
    await editLuks2(file, (metadata) => {
      for (const one of Object.values(metadata.segments)) Object.assign(one, change);
    });
  };
const tweaked = (name: string, sectorSize: number, iv_tweak: string): Case => ({
  name,
  make: segment(sectorSize, { iv_tweak }),
  ivTweak: { iv_tweak, sectorSize },
});
const cases: readonly Case[] = [
  { name: 'luks1', make: (file, key) => luks1(file, key, 4 * MiB) },
  tweaked('tweak512', 512, '12345'),
  tweaked('tweak4096', 4096, '4096'),
  tweaked('tweakfar', 2048, String(2 ** 40 + 8)),
  { name: 'offset', make: segment(1024, { offset: String(17 * MiB) }) },
  { name: 'fixed', make: segment(4096, { size: String(MiB) }) },
];

/** The guest's command that maps `/dev/disk/<name>` to `/dev/mapper/<name>`. */
const openCommand = ({ name, ivTweak }: Case, key: string): string =>
  ivTweak === undefined
    ? `cryptsetup open --key-file '${key}' /dev/disk/${name} ${name}`
    : `set -e; cryptsetup luksDump -q --dump-volume-key --volume-key-file /run/${name} --key-file '${key}' /dev/disk/${name}
      hex=$(od -An -v -tx1 /run/${name} | tr -d ' \n')
      dmsetup create ${name} --table "0 ${(2 * MiB) / 512} crypt aes-xts-plain64 $hex ${ivTweak.iv_tweak} \
        /dev/disk/${name} ${(16 * MiB) / 512} 1 sector_size:${ivTweak.sectorSize}"`;

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const missing = await missingForVm();

test('dm-crypt reads what we wrote, and we read what dm-crypt wrote', {
  skip: missing === undefined ? false : `needs ${missing}`,
  timeout: 240_000,
}, async (t) => {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const directory = await temporary(stack);
  const key = path.join(directory, 'key');
  await keep(key, randomBytes(32));
  const written = new Map<string, string>();
  const lengths = new Map<string, number>();
  for (const { name, make } of cases) {
    const file = path.join(directory, name);
    await make(file, key);
    const served = await serve(stack, file, key);
    const bytes = randomBytes(served.ready.size);
    await writePieces(served.plain, bytes);
    await served.close();
    written.set(name, sha256(bytes));
    lengths.set(name, bytes.length);
  }

  const disks = Object.fromEntries(
    cases.map(({ name }) => [name, { file: path.join(directory, name), mode: 'write' as const }]),
  );
  const vm = await Vm.start({ scratchMiB: 64, disks });
  stack.defer(() => vm.close());
  const replaced = new Map<string, string>();
  for (const one of cases) {
    const { name } = one;
    const hash = `head -c ${lengths.get(name)} /dev/mapper/${name} | sha256sum`;
    await vm.check(openCommand(one, key));
    assert.equal((await vm.check(hash)).slice(0, 64), written.get(name), name);
    await vm.check(`cat /dev/urandom > /dev/mapper/${name} 2>/dev/null; sync; echo 3 > /proc/sys/vm/drop_caches`);
    replaced.set(name, (await vm.check(hash)).slice(0, 64));
    await vm.check(`dmsetup remove ${name} && sync`);
  }
  await vm.close();
  for (const { name } of cases) {
    const served = await serve(stack, path.join(directory, name), key, ['--read-only']);
    assert.notEqual(replaced.get(name), written.get(name));
    assert.equal(sha256(await readFile(served.plain)), replaced.get(name), name);
    await served.close();
  }
});
