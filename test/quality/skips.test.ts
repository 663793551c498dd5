import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dishonestSkips, type Skip, vmSuites } from '../skips.ts';

const skip = (reason: string, file = 'test/volume/cycle.test.ts'): Skip => ({ file, name: 'a test', reason });
const nothing = new Set<string>();
const kernel = skip('the kernel has no device-mapper');

test('a skip for a known reason is honest, one for any other is told', () => {
  const known = skip('bind mounts are not allowed here');
  assert.deepEqual(dishonestSkips({ skips: [known], vmPassed: nothing, whole: true }), []);
  for (const reason of [
    'true',
    'later',
    'needs qemu-system-x86_64',
    'bind mounts are not allowed here, says the author',
  ]) {
    const [line, more] = dishonestSkips({ skips: [skip(reason)], vmPassed: nothing, whole: true });
    assert.match(line ?? '', /^test\/volume\/cycle\.test\.ts: a test: .* is no known reason/);
    assert.equal(more, undefined);
  }
});

test('a skipped kernel engine needs the same file passed in the virtual machine', () => {
  const judge = (vmPassed: ReadonlySet<string>, whole: boolean, more: Skip[] = []): number =>
    dishonestSkips({ skips: [kernel, ...more], vmPassed, whole }).length;
  assert.equal(judge(new Set([kernel.file]), true), 0);
  assert.equal(judge(new Set(['test/volume/other.test.ts']), true), 1);
  const others = skip('the kernel has no device-mapper', 'test/volume/slam.test.ts');
  assert.equal(judge(new Set([kernel.file]), true, [others]), 0, 'beyond the contract, npm run test:vm runs it');
  assert.equal(judge(nothing, false), 0, 'a run of named files has no virtual machine');
  assert.equal(judge(nothing, true, [skip('needs an x86-64 host (this is arm64)', vmSuites)]), 0);
  assert.equal(judge(nothing, true, [skip('needs /usr/bin/qemu-system-x86_64', vmSuites)]), 2);
});
