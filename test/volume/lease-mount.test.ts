import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const root = path.resolve(import.meta.dirname, '../..');

test('a service that lives in a chroot, where the kernel refuses user namespaces, shows a lease as its consumer’s too', () => {
  const top = fs.mkdtempSync(path.join(os.tmpdir(), 'lease-mount-'));
  try {
    const scripts = ['launcher/own-namespace.sh', 'lease-mount/chroot.sh'].map((name) =>
      path.join(root, 'fixtures', name),
    );
    const [own, script] = scripts as [string, string];
    const args = [own, 'sh', script, path.join(root, 'build/Release/lease-mount'), top];
    const { stdout, stderr, status } = spawnSync('sh', args, { encoding: 'utf8' });
    assert.deepEqual([stderr, status, stdout.trim()], ['', 0, '4321:4321']);
  } finally {
    fs.rmSync(top, { recursive: true, force: true });
  }
});
