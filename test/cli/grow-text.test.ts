import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grownText } from '../../src/cli/volume-grow.ts';
import { volumeNote } from '../../src/cli/volume-list.ts';
import { volumeFacts } from '../../src/cli/volume-show.ts';
import type { VolumeView } from '../../src/http/volumes.ts';

const GiB = 1024 ** 3;

test('a grow without a change says so, and a small one of something large shows', () => {
  assert.equal(grownText({ from: 600 * 1024 ** 2, to: 600 * 1024 ** 2 }), 'has this size already: 600 MiB');
  assert.equal(grownText({ from: GiB, to: 2 * GiB }), 'grown from 1 GiB to 2 GiB');
  assert.equal(grownText({ from: 1024 * GiB, to: 1025 * GiB }), 'grown from 1 TiB to 1.001 TiB');
  assert.equal(grownText({ from: 2 ** 52, to: 2 ** 52 + 4096 }), 'grown from 4096 TiB to 4096.000000004 TiB');
});

test('list and show tell of a grow that runs, and of one that waits', () => {
  const told = (growing: Partial<VolumeView['growing']>, readOnly: boolean | null, failure: unknown = null): string => {
    const known = { from: GiB, to: 20 * GiB, allocated: null, ...growing };
    const view = { failure, header: null, conditions: [], readOnly, growing: known } as unknown as VolumeView;
    const note = volumeNote(view);
    assert.ok(volumeFacts(view).includes(`growing: ${note.split('; ').at(-1)}`));
    return note;
  };
  assert.equal(told({ running: false }, null), 'grow to 20 GiB waits for the next open');
  assert.equal(told({ running: false }, true), 'grow to 20 GiB waits for the next open for writing');
  assert.equal(told({ running: true }, false), 'growing to 20 GiB');
  assert.equal(told({ running: true, allocated: 3 * GiB }, false), 'growing to 20 GiB, 3 GiB allocated');
  const failure = { error: { code: 'io-error', expected: 'a', got: 'b' }, nextStep: 'look' };
  assert.match(told({ running: false }, null, failure), /^io-error: .*next: look; grow to 20 GiB waits/);
});
