/** A power cut in the middle of mounting: half of ext4's superblock is old, and its journal holds what was recorded last. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { run } from '../../src/exec/run.ts';
import { checkExt4, makeExt4 } from '../../src/volume/filesystem/ext4.ts';

/** As small as volumes are, where mke2fs would make one group, without a backup. */
const size = 48 * 1024 * 1024;
const timeoutMs = 60_000;
/** s_checksum of the main superblock, and of the backup at the start of the second group. */
const checksums = { main: 1024 + 0x3fc, backup: 4096 * 4096 + 0x3fc };

const spoil = async (image: string, offset: number): Promise<void> => {
  const file = await open(image, 'r+');
  const bytes = Buffer.alloc(4);
  await file.read(bytes, 0, 4, offset);
  await file.write(
    bytes.map((byte) => byte ^ 0xff),
    0,
    4,
    offset,
  );
  await file.close();
};

let directory: string;
let image: string;
before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'reelvault-torn-'));
  const whole = path.join(directory, 'whole');
  image = path.join(directory, 'image');
  const point = path.join(directory, 'point');
  await writeFile(whole, '');
  await truncate(whole, size);
  await makeExt4({ device: whole, size });
  await mkdir(point);
  await run('mount', ['-o', 'loop', whole, point], { timeoutMs });
  try {
    await writeFile(path.join(point, 'reel'), 'recorded');
    await run('sync', ['--file-system', point], { timeoutMs });
    await copyFile(whole, image);
  } finally {
    await run('umount', [point], { timeoutMs });
  }
  await spoil(image, checksums.main);
});
after(() => rm(directory, { recursive: true, force: true }));

test('it opens from the backup, with what the journal held', async () => {
  await assert.rejects(checkExt4(image, { readOnly: true }), { code: 'volume-state' });
  const torn = path.join(directory, 'torn');
  await copyFile(image, torn);
  await checkExt4(torn, { readOnly: false });
  await checkExt4(torn, { readOnly: true });
  const point = path.join(directory, 'point');
  await run('mount', ['-o', 'loop,ro', torn, point], { timeoutMs });
  try {
    assert.equal(await readFile(path.join(point, 'reel'), 'utf8'), 'recorded');
  } finally {
    await run('umount', [point], { timeoutMs });
  }
});

test('without a backup it is left to a person, and not touched', async () => {
  const lost = path.join(directory, 'lost');
  await copyFile(image, lost);
  await spoil(lost, checksums.backup);
  const as = await readFile(lost);
  await assert.rejects(checkExt4(lost, { readOnly: false }), { code: 'filesystem-damaged' });
  assert.ok(as.equals(await readFile(lost)));
});
