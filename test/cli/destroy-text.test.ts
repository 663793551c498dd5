import assert from 'node:assert/strict';
import { test } from 'node:test';
import { destroyText } from '../../src/cli/volume-destroy.ts';
import type { DestroyReport } from '../../src/volume/destroy/report.ts';

test('erased keyslots are counted and named', () => {
  const lineOf = (keyslots: number[]): string | undefined => {
    const nothing = { backups: { files: 0, bytes: 0 }, keyFile: null, notes: [], notGuaranteed: [] };
    const report = { ...nothing, name: 'a', keyslots, resumed: false, headerBytes: 0, containerBytes: 0 };
    return destroyText(report as unknown as DestroyReport)
      .split('\n')
      .find((line) => line.includes('keyslots'));
  };
  assert.equal(lineOf([0]), '  keyslots erased: 1 (slot 0)');
  assert.equal(lineOf([0, 3]), '  keyslots erased: 2 (slots 0, 3)');
  assert.equal(lineOf([]), '  keyslots erased: none');
});
