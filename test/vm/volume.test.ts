/**
 * Suites of test/volume with the kernel engine: the same files that run here with the userspace engine, on a kernel that has dm-crypt.
 * Those of the contract, or all with REELVAULT_VM=all (`npm run test:vm`).
 */
import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { vmContract } from '../skips.ts';
import { shared, writeTable, writing } from '../volume/operations-table.ts';
import { missingForVm, Vm } from './vm.ts';

const missing = await missingForVm();
const root = path.resolve(import.meta.dirname, '../..');
/** For one file, on a machine with others on it; the longest takes 18 with a processor of its own. */
const minutes = 45;
const options = { skip: missing === undefined ? false : `needs ${missing}`, timeout: (minutes + 3) * 60_000 };

const files: string[] = [];
for await (const file of glob('test/volume/**/*.test.ts', { cwd: root }))
  if ((await readFile(path.join(root, file), 'utf8')).includes('await describeEngines(')) files.push(file);

const chosen = process.env.REELVAULT_VM === 'all' ? files : files.filter((file) => vmContract.includes(file));

let vm: Vm | undefined;
before(async () => {
  if (missing === undefined) vm = await Vm.start({ scratchMiB: 8192, memoryMiB: 2048 });
});
after(() => vm?.close());

test('there are suites to run', () => {
  for (const file of vmContract) assert.ok(chosen.includes(file), files.join(', '));
});

// The names count: test/skips.ts looks for them when the host skips the kernel engine of a file.
for (const file of chosen.sort((one, other) => one.localeCompare(other))) {
  test(file, options, async (t) => {
    const started = Date.now();
    assert.ok(vm !== undefined);
    // On the shared folder, so that a suite that hangs shows how far it came.
    const { exitCode } = await vm.run(
      `cd '${root}' && REELVAULT_TEST_EMULATED=1 ${writing ? 'REELVAULT_WRITE_OPERATIONS=1 ' : ''}NODE_COMPILE_CACHE=/scratch/node PATH="$PWD/node_modules/.bin:$PATH" \
        node --test --test-reporter=tap --test-name-pattern='kernel engine' '${file}' >/exchange/tap 2>&1`,
      { timeoutMs: minutes * 60_000 },
    );
    const tap = await readFile(path.join(vm.exchange, 'tap'), 'utf8');
    assert.equal(exitCode, 0, tap.slice(-8000));
    const count = (what: string): number => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(tap)?.[1]);
    assert.equal(count('fail') + count('skipped') + count('cancelled') + count('todo'), 0, tap.slice(-8000));
    assert.ok(count('pass') >= 1, `expected the suite to run, got none of it\n${tap.slice(-8000)}`);
    if (writing && file.endsWith('/operations.test.ts'))
      await writeTable('kernel', await readFile(path.join(vm.exchange, path.basename(shared)), 'utf8'));
    t.diagnostic(`${count('pass')} tests in ${Math.round((Date.now() - started) / 1000)} s`);
  });
}

test('nothing is left in the machine by any suite', options, async () => {
  assert.ok(vm !== undefined);
  const left = await vm.check(
    'losetup --list --noheadings; dmsetup ls | grep -v "^No devices found$" || true; ls /scratch; mount | grep fuse.luksblock || true',
  );
  assert.equal(left.trim(), 'lost+found\nnode');
});
