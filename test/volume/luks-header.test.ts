import assert from 'node:assert/strict';
import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Luks } from '../../src/luks/luks.ts';
import { readLuksHeader } from '../../src/volume/luks-header.ts';

let directory: string;
before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'reelvault-header-'));
});
after(() => rm(directory, { recursive: true }));

let made = 0;
const make = async (type: 'luks1' | 'luks2'): Promise<{ file: string; uuid: string }> => {
  made += 1;
  const file = path.join(directory, `${type}-${made}`);
  await writeFile(file, '');
  await truncate(file, 32 << 20);
  const pbkdf = { type: 'pbkdf2', iterations: 1000 } as const;
  const { uuid } = await new Luks().format(file, Buffer.from('key'), { type, pbkdf });
  return { file, uuid };
};

const wipeStart = async (file: string): Promise<void> => {
  const handle = await open(file, 'r+');
  await handle.write(Buffer.alloc(4096), 0, 4096, 0);
  await handle.close();
};

for (const [type, version] of [
  ['luks1', 1],
  ['luks2', 2],
] as const) {
  test(`version and UUID of ${type}`, async () => {
    const { file, uuid } = await make(type);
    assert.deepEqual(await readLuksHeader(file), { version, uuid });
  });
}

test('the second header of LUKS2 serves when the first is lost', async () => {
  const { file, uuid } = await make('luks2');
  await wipeStart(file);
  assert.deepEqual(await readLuksHeader(file), { version: 2, uuid });
});

test('LUKS1 has no second header', async () => {
  const { file } = await make('luks1');
  await wipeStart(file);
  await assert.rejects(readLuksHeader(file), { code: 'not-luks' });
});

test('empty, short, zero and text files are not LUKS', async () => {
  const short = Buffer.from('LUKS\xba\xbe', 'latin1');
  const contents = [Buffer.alloc(0), short, Buffer.alloc(8 << 20), Buffer.from('x'.repeat(5000))];
  for (const [index, content] of contents.entries()) {
    const file = path.join(directory, `not-${index}`);
    await writeFile(file, content);
    await assert.rejects(readLuksHeader(file), { code: 'not-luks' });
  }
});
