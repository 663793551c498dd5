import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Catalog } from '../../../src/archive/catalog/catalog.ts';
import { Jail } from '../../../src/datapath/jail.ts';
import { run, someHour, TemporaryVolume } from '../fixtures.ts';

test('a full volume can still be told what to delete', async () => {
  await using stack = new AsyncDisposableStack();
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'reelvault-full-'));
  stack.defer(() => fs.rmSync(root, { recursive: true, force: true }));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'reelvault-full', root]);
  stack.defer(() => void execFileSync('umount', [root]));
  const files = new Jail({ fd: fs.openSync(root, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY), label: 'volume' });
  stack.defer(() => files.close());
  const volume = Object.assign(Object.create(TemporaryVolume.prototype) as TemporaryVolume, { root, files });
  const reels = Array.from({ length: 100 }, (_, at) => ({ stream: 'cam', hour: someHour + at }));
  for (const { hour } of reels) volume.reel('cam', run(hour, 1));
  const ready = Promise.withResolvers<void>();
  const catalog = new Catalog({ files, onState: (state) => (state === 'ready' ? ready.resolve() : undefined) });
  stack.defer(() => catalog.close());
  catalog.start();
  await ready.promise;
  const filler = fs.openSync(path.join(root, 'filler'), 'w');
  try {
    for (;;) fs.writeSync(filler, Buffer.alloc(4096, 1));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
  } finally {
    fs.closeSync(filler);
  }
  for (const reel of reels) {
    assert.deepEqual(await catalog.markGarbage([reel]), [reel]);
    assert.throws(() => fs.writeFileSync(path.join(root, 'more'), Buffer.alloc(4096, 1)), { code: 'ENOSPC' });
  }
  assert.equal((await catalog.list({ states: ['garbage'], limit: 1000 })).length, 100);
});
