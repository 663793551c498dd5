import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { tryUnmount } from '../../src/volume/try-unmount.ts';

let directory: string;
before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'try-unmount-'));
});
after(() => rm(directory, { recursive: true }));

/** With an umount that does as the script says. */
const outcome = async (script: string): Promise<boolean> => {
  const program = path.join(directory, 'umount');
  await writeFile(program, `#!/bin/sh\n${script}\n`);
  await chmod(program, 0o755);
  return tryUnmount(['/x'], { timeoutMs: 10_000, env: { PATH: `${directory}:/usr/bin:/bin` } });
};

test('an unmount that was not done leaves the next means to the caller, also where the disk fails', async () => {
  assert.equal(await outcome('exit 0'), true);
  assert.equal(await outcome('echo "umount: /x: target is busy." >&2; exit 32'), false);
  assert.equal(await outcome('echo "umount: /x: can\'t write superblock." >&2; exit 32'), false);
  assert.equal(await outcome('echo "umount: /x: Input/output error" >&2; exit 1'), false);
  await assert.rejects(outcome('exit 2'), { code: 'command-failed' });
});
