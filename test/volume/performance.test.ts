import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelVersion, performanceFlags, unfitFlags } from '../../src/volume/engine/performance.ts';

test('the real patch level of distribution kernels', () => {
  const debian = '#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-09-01)';
  assert.deepEqual(kernelVersion('6.1.0-56-cloud-amd64', debian, ''), [6, 1, 192]);
  const ubuntu = 'Ubuntu 5.15.0-125.135-generic 5.15.167\n';
  assert.deepEqual(kernelVersion('5.15.0-125-generic', '#135-Ubuntu SMP', ubuntu), [5, 15, 167]);
  assert.deepEqual(kernelVersion('6.18.44', '#1 SMP', ''), [6, 18, 44]);
  assert.deepEqual(kernelVersion('6.8', '#1 SMP', ''), [6, 8, 0]);
  assert.deepEqual(kernelVersion('6.12.1', 'Debian 6.1.192-2', ''), [6, 12, 1], 'of another series');
  assert.deepEqual(kernelVersion('nonsense', '', ''), [0, 0, 0]);
});

test('queues are passed by only where the kernel does it without tasklets', () => {
  const queues = ['no_read_workqueue', 'no_write_workqueue'] as const;
  for (const version of [
    [6, 8, 0],
    [7, 0, 0],
    [6, 1, 192],
    [6, 6, 19],
    [5, 15, 150],
    [5, 10, 300],
  ] as const)
    assert.deepEqual(unfitFlags(queues, version), [], version.join('.'));
  for (const version of [
    [6, 7, 5],
    [6, 6, 18],
    [6, 5, 99],
    [6, 1, 0],
    [5, 15, 149],
    [5, 9, 0],
    [5, 8, 0],
    [0, 0, 0],
  ] as const)
    assert.deepEqual(unfitFlags(queues, version), [...queues], version.join('.'));
  assert.deepEqual(unfitFlags(performanceFlags, [6, 9, 0]), ['high_priority']);
  assert.deepEqual(unfitFlags(['same_cpu_crypt', 'submit_from_crypt_cpus'], [3, 19, 0]).length, 2);
});
