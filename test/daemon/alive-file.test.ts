import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { AliveFile } from '../../src/daemon/alive-file.ts';

test('a start knows until when the service ran before; a directory that is gone keeps nobody from starting', async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-alive-'));
  t.after(() => rmSync(directory, { recursive: true }));
  let now = 1_000_000_000_000;
  const file = { path: path.join(directory, 'alive'), now: () => now };
  const first = new AliveFile(file);
  assert.equal(await first.start(), undefined);
  now += 5000;
  await first.close();
  now += 60_000;
  const second = new AliveFile(file);
  assert.equal(await second.start(), now - 60_000);
  await second.close();
  const nowhere = new AliveFile({ path: path.join(directory, 'none/alive'), now: () => now });
  assert.equal(await nowhere.start(), undefined);
  await nowhere.close();
});
