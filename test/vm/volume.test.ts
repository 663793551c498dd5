/** The life of a volume with the kernel engine: the same suite that runs here with the userspace engine, on a kernel that has dm-crypt. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { missingForVm, Vm } from './vm.ts';

const missing = await missingForVm();
const minutes = 12;
const options = { skip: missing === undefined ? false : `needs ${missing}`, timeout: minutes * 60_000 };
const root = path.resolve(import.meta.dirname, '../..');

test('volumes live with the kernel engine as with the userspace engine', options, async () => {
  await using vm = await Vm.start({ scratchMiB: 4096, memoryMiB: 2048 });
  const { stdout, stderr, exitCode } = await vm.run(
    `cd '${root}' && PATH="$PWD/node_modules/.bin:$PATH" node --test --test-reporter=tap --test-name-pattern='kernel engine' test/volume/cycle.test.ts`,
    { timeoutMs: (minutes - 2) * 60_000 },
  );
  assert.equal(exitCode, 0, `${stdout.slice(-6000)}\n${stderr.slice(-2000)}`);
  const count = (what: string): number => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(stdout)?.[1]);
  assert.equal(count('fail') + count('skipped') + count('cancelled'), 0, stdout.slice(-6000));
  assert.ok(count('pass') >= 10, `expected the whole suite to run, got ${count('pass')} tests\n${stdout.slice(-6000)}`);
});
