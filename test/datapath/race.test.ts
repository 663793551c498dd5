/** A directory that is swapped for a link to the outside, over and over, by another process while we open files in it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, constants, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { openBeneath } from '../../src/native.ts';
import { Grounds, secret } from './grounds.ts';

const grounds = new Grounds();
const fd = grounds.open();
after(() => {
  closeSync(fd);
  grounds.remove();
});

const swapper = `
  const fs = require('node:fs');
  process.chdir(${JSON.stringify(grounds.inside)});
  fs.writeSync(1, 'go');
  for (;;) {
    fs.renameSync('dir', 'aside');
    fs.symlinkSync('../outside', 'dir');
    fs.unlinkSync('dir');
    fs.renameSync('aside', 'dir');
  }`;

/** One open of `dir/file`: what it read, or the error's code. */
const attempt = (open: () => string): string => {
  try {
    return open();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
};

const tally = (
  attempts: number,
  enough: (counts: Map<string, number>) => boolean,
  open: () => string,
): Map<string, number> => {
  const counts = new Map<string, number>();
  const deadline = Date.now() + 60_000;
  for (let done = 0; done < attempts || (!enough(counts) && Date.now() < deadline); done += 1) {
    const outcome = attempt(open);
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  return counts;
};

test('2,000 opens during a swap race: never a byte from outside', async () => {
  const child = spawn(process.execPath, ['-e', swapper], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const plain = tally(
      1,
      (counts) => counts.has(secret),
      () => readFileSync(path.join(grounds.inside, 'dir/file'), 'utf8'),
    );
    assert.ok(plain.has(secret), 'the race is real: an open by path gets outside');
    const jailed = tally(
      2_000,
      (counts) => counts.has('inside') && counts.has('ELOOP'),
      () => {
        const file = openBeneath(fd, 'dir/file', constants.O_RDONLY);
        try {
          return readFileSync(file, 'utf8');
        } finally {
          closeSync(file);
        }
      },
    );
    assert.ok(jailed.has('inside') && jailed.has('ELOOP'), `both sides of the swap were met: ${[...jailed.keys()]}`);
    assert.deepEqual(
      [...jailed.keys()].filter((outcome) => !['inside', 'ELOOP', 'ENOENT'].includes(outcome)),
      [],
    );
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
});
