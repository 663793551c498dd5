import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { cgroupMemoryLimit } from '../../src/luks/memory-limit.ts';
import { pbkdfArgs, pbkdfForPhrase } from '../../src/luks/pbkdf.ts';
import { TestDirectory } from './containers.ts';

const directory = new TestDirectory();
after(() => directory.remove());
const mebibyte = 1 << 20;

/** A root directory with these files. */
const root = (files: Record<string, string>): string => {
  const top = directory.name();
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(top, file)), { recursive: true });
    writeFileSync(path.join(top, file), text);
  }
  return top;
};
const v2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n';
const v1 =
  '31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n';

test('cgroup v2: the least of the group and its ancestors', async () => {
  const top = root({
    'proc/self/mountinfo': v2,
    'proc/self/cgroup': '0::/system.slice/rv.service\n',
    'sys/fs/cgroup/system.slice/memory.max': `${64 * mebibyte}\n`,
    'sys/fs/cgroup/system.slice/rv.service/memory.max': 'max\n',
  });
  assert.equal(await cgroupMemoryLimit(top), 64 * mebibyte);
});

test('cgroup v1, in a container whose own path is not visible', async () => {
  const top = root({
    'proc/self/mountinfo': v1,
    'proc/self/cgroup': '5:cpu:/docker/abc\n4:hugetlb,memory:/docker/abc\n',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': `${512 * mebibyte}\n`,
  });
  assert.equal(await cgroupMemoryLimit(top), 512 * mebibyte);
});

test('no limit, and no cgroups', async () => {
  const top = root({
    'proc/self/mountinfo': v1,
    'proc/self/cgroup': '4:memory:/\n',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
  });
  assert.equal(await cgroupMemoryLimit(top), null);
  assert.equal(await cgroupMemoryLimit(root({})), null);
});

test("a phrase's cost is at most a quarter of the memory, and never weak", async () => {
  const pbkdf = await pbkdfForPhrase('luks2', async () => 256 * mebibyte);
  assert.ok(pbkdf.type === 'argon2id');
  assert.equal(pbkdf.memoryKiB, 64 * 1024);
  const large = await pbkdfForPhrase('luks2', async () => 2 ** 40);
  assert.ok(large.type === 'argon2id' && large.memoryKiB === 1024 * 1024);
  await assert.rejects(
    pbkdfForPhrase('luks2', async () => 63 * mebibyte),
    { code: 'out-of-memory' },
  );
  assert.deepEqual(await pbkdfForPhrase('luks1', async () => 0), { type: 'pbkdf2', timeMs: 2_000 });
});

test('the options say which cost is fixed and which is measured', () => {
  const argon2id = { type: 'argon2id', memoryKiB: 65_536, parallel: 2 } as const;
  const memory = ['--pbkdf', 'argon2id', '--pbkdf-memory', '65536', '--pbkdf-parallel', '2'];
  assert.deepEqual(pbkdfArgs('luks2', { ...argon2id, timeMs: 500 }), [...memory, '--iter-time', '500']);
  assert.deepEqual(pbkdfArgs('luks2', { ...argon2id, iterations: 4 }), [...memory, '--pbkdf-force-iterations', '4']);
  assert.deepEqual(pbkdfArgs('luks1', { type: 'pbkdf2', timeMs: 500 }), ['--iter-time', '500']);
});
