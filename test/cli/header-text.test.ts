import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareExit, headerListText } from '../../src/cli/volume-header.ts';

test('a compare ends with 6 where a header cannot be read, and with 0 for differences', () => {
  const whole = { type: 'luks2', uuid: 'u', copies: [] } as const;
  const unreadable = { type: null, uuid: null, copies: [] };
  assert.equal(compareExit({ container: unreadable, backup: whole }), 6);
  assert.equal(compareExit({ container: whole, backup: unreadable }), 6);
  assert.equal(compareExit({ container: whole, backup: whole }), 0);
});

test('a backup that is of another container is not listed like one', () => {
  const file = { name: 'n', uuid: 'u', kind: 'backup', at: 'then', bytes: 4096, files: ['/a'] } as const;
  const rows = headerListText({
    backups: [
      { ...file, foreign: null },
      { ...file, foreign: 'other' },
    ],
  }).split('\n');
  assert.match(rows[1] ?? '', /^n +backup +then /);
  assert.match(rows[2] ?? '', /^n +foreign \(other\) +then /);
});
