import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

const root = path.resolve(import.meta.dirname, '../..');
const top = mkdtempSync(path.join(tmpdir(), 'dumps-'));

// A copy that an ordinary user can run, wherever the checkout lies.
before(() => {
  chmodSync(top, 0o755);
  copyFileSync(path.join(root, 'build/Release/reelvault.node'), path.join(top, 'reelvault.node'));
  copyFileSync(process.execPath, path.join(top, 'node'));
});
after(() => rmSync(top, { recursive: true }));

/** What a process of an ordinary user, and a child that it starts, look like to others of that user. */
const look = (first: string): unknown => {
  const program = `
    const { forbidDumps } = require('./reelvault.node');
    const { execFileSync } = require('node:child_process');
    ${first}
    const say = (command) => execFileSync('sh', ['-c', command], { encoding: 'utf8' }).trim();
    const own = say('cat /proc/$PPID/environ > /dev/null 2>&1 && echo open || echo closed');
    console.log(JSON.stringify([own, say('sh -c "cat /proc/$$/environ > /dev/null 2>&1 && echo open || echo closed"')]));`;
  const user = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  const args = [...user, path.join(top, 'node'), '-e', program];
  return JSON.parse(execFileSync('setpriv', args, { cwd: top, encoding: 'utf8' }));
};

test('forbidDumps closes the process to others of its user, but not a program that it starts', () => {
  assert.deepEqual(look(''), ['open', 'open']);
  assert.deepEqual(look('forbidDumps();'), ['closed', 'open']);
});
