/** The verb that third parties run: without the service, and without root. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Proof } from '../../src/archive/evidence/verify.ts';
import { filesOf, RecordedVolume, tenOClock } from '../archive/recorded.ts';

const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
let place: string;
before(async () => {
  place = mkdtempSync(path.join(os.tmpdir(), 'reelvault-verify-'));
  const volume = await RecordedVolume.start();
  for (const hour of [0, 1, 2]) await volume.record('cam', tenOClock + hour);
  await volume.record('plain', tenOClock, { evidence: false });
  cpSync(volume.root, place, { recursive: true });
  const keys = volume.host.keys.list();
  writeFileSync(path.join(place, 'host.pem'), keys.map(({ publicKey }) => publicKey).join(''));
  await volume.stop();
});
after(() => rmSync(place, { recursive: true, force: true }));

/** Without any capability: another user could not read a clone that lies in somebody's home. */
const verify = (args: readonly string[]) => {
  const privileges = ['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'];
  const command = [process.execPath, main, 'archive', 'verify', ...args];
  const { status, stdout, stderr } = spawnSync('setpriv', [...privileges, ...command], {
    cwd: place,
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  return { status, stdout, stderr };
};

test('a reel, a range and a directory are proved by somebody who has only the files and the key', () => {
  const reel = verify([filesOf('cam', tenOClock + 1).ts, '--key', 'host.pem']);
  assert.equal(reel.status, 0, reel.stderr);
  assert.match(reel.stdout, /cam 2026-11-21T11:00:00.000Z, number 2, (\d+) of \1 segments proved/);
  const range = verify(['dvr', '--key', 'host.pem', '--from', '2026-11-21T11:00Z', '--to', '2026-11-21T13Z', '--json']);
  assert.equal(range.status, 0, range.stderr);
  const proof = JSON.parse(range.stdout) as Proof;
  assert.deepEqual([proof.proved, proof.reels.map(({ number }) => number)], [true, [2, 3]]);
  assert.match(verify(['.', '--key', 'host.pem', '--stream', 'cam']).stdout, /\nproved: 3 reels/);
  const partly = verify(['.', '--key', 'host.pem']);
  assert.deepEqual([partly.status, /\npartly proved: \d+ of \d+ signed segments/.test(partly.stdout)], [9, true]);
});

test('what cannot be proved ends with 6, what cannot be asked with the code of its error', () => {
  rmSync(path.join(place, filesOf('cam', tenOClock + 1).sig));
  const broken = verify(['dvr', '--key', 'host.pem', '--stream', 'cam']);
  assert.equal(broken.status, 6, broken.stderr);
  assert.match(broken.stdout, /signature-missing[\s\S]*chain-hole[\s\S]*not proved: 2 problems/);
  assert.equal(verify(['nowhere', '--key', 'host.pem']).status, 4);
  assert.equal(verify(['dvr', '--key', 'no.pem']).status, 4);
  assert.equal(verify(['dvr', '--key', filesOf('cam', tenOClock).idx]).status, 2);
  assert.equal(verify(['dvr', '--key', 'host.pem', '--from', 'yesterday']).status, 2);
  assert.equal(verify(['dvr', '--key', 'host.pem', '--from', '2027-01-01']).status, 4);
  assert.equal(verify(['dvr']).status, 2);
  chmodSync(path.join(place, filesOf('cam', tenOClock).sig), 0);
  const denied = verify(['dvr', '--key', 'host.pem']);
  assert.equal(denied.status, 3, denied.stderr);
  assert.match(denied.stderr, /forbidden[\s\S]*10\.sig[\s\S]*somebody who may read/);
});
