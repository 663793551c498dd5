import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { EvidenceKeys } from '../../src/archive/evidence/key-store.ts';
import { ReelError } from '../../src/errors.ts';

const withState = async (work: (state: string, file: (name: string) => string) => Promise<void>): Promise<void> => {
  const state = mkdtempSync(path.join(os.tmpdir(), 'reelvault-keys-'));
  try {
    await work(state, (name) => path.join(state, 'evidence', name));
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
};
const started = async (state: string): Promise<EvidenceKeys> => {
  const keys = new EvidenceKeys({ state, now: () => Date.UTC(2026, 10, 21) });
  await keys.start();
  return keys;
};
const isDamage = (error: unknown): boolean => error instanceof ReelError && error.code === 'archive-damaged';

test('the pair is made once, and only its owner may read it', () =>
  withState(async (state, file) => {
    const first = await started(state);
    const second = await started(state);
    assert.ok(first.signing.id.equals(second.signing.id));
    assert.deepEqual(first.list(), second.list());
    assert.equal(first.list().length, 1);
    for (const name of ['key.pk8', 'keys.json']) assert.equal(statSync(file(name)).mode & 0o777, 0o600, name);
    assert.ok(!readFileSync(file('keys.json'), 'utf8').includes('PRIVATE'));
  }));

test('a stop between the two writes of a rotation: the key that is on disk signs, and no public key is lost', () =>
  withState(async (state, file) => {
    const keys = await started(state);
    const before = readFileSync(file('keys.json'));
    const made = await keys.rotate();
    writeFileSync(file('keys.json'), before);
    const next = await started(state);
    assert.equal(next.signing.id.toString('hex'), made.id);
    assert.deepEqual(
      next.list().map(({ retiredAt }) => retiredAt === null),
      [false, true],
    );
    assert.deepEqual((await started(state)).list(), next.list());
  }));

test('a key that is lost or damaged is not replaced unasked', () =>
  withState(async (state, file) => {
    await started(state);
    const bytes = readFileSync(file('key.pk8'));
    for (const damage of [() => rmSync(file('key.pk8')), () => writeFileSync(file('key.pk8'), 'x')]) {
      damage();
      const keys = new EvidenceKeys({ state, now: Date.now });
      await assert.rejects(keys.start(), isDamage);
      assert.throws(() => keys.signing, isDamage);
      await assert.rejects(keys.rotate(), isDamage);
    }
    writeFileSync(file('key.pk8'), bytes);
    await started(state);
  }));
