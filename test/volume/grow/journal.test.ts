/** The journal of a grow: replaced as a whole, or not at all. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { readJournal, writeJournal } from '../../../src/volume/grow/journal.ts';

test('a journal that cannot take its name leaves no half of it, and is written once it can', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'reelvault-journal-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = path.join(directory, '.v.luks.growing');
  const journal = { uuid: 'a container', from: 1, to: 2 };
  await mkdir(file); // what a rename of a file cannot replace
  await assert.rejects(writeJournal(file, journal), { code: 'EISDIR' });
  assert.deepEqual(await readdir(directory), ['.v.luks.growing']);
  await rm(file, { recursive: true });
  await writeJournal(file, journal);
  assert.deepEqual(await readJournal(file, journal.uuid), { layout: 1, ...journal });
  assert.deepEqual(await readdir(directory), ['.v.luks.growing']);
});
