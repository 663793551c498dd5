import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareExit } from '../../src/cli/volume-header.ts';

test('a compare ends with 6 where a header cannot be read, and with 0 for differences', () => {
  const whole = { type: 'luks2', uuid: 'u', copies: [] } as const;
  const unreadable = { type: null, uuid: null, copies: [] };
  assert.equal(compareExit({ container: unreadable, backup: whole }), 6);
  assert.equal(compareExit({ container: whole, backup: unreadable }), 6);
  assert.equal(compareExit({ container: whole, backup: whole }), 0);
});
