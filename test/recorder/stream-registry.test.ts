import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { ReelError } from '../../src/errors.ts';
import { checkStreamName, isStreamName, StreamRegistry } from '../../src/recorder/stream-registry.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-registry-'));
const file = path.join(directory, 'streams.json');
beforeEach(() => rmSync(file, { force: true }));
after(() => rmSync(directory, { recursive: true }));

const settings = { name: 'cam', volume: 'main', segmentMs: 4000, evidence: false };
const anchor = { hour: 498_682, sequence: 12, discontinuities: 3 };

const loaded = async (): Promise<StreamRegistry> => {
  const registry = new StreamRegistry({ path: file });
  await registry.load();
  return registry;
};

test('streams and their numbers outlive the process', async () => {
  const first = await loaded();
  assert.deepEqual(first.list(), []);
  await Promise.all([first.put(settings), first.put({ ...settings, name: 'a' }), first.setAnchor('cam', anchor)]);
  await first.put({ ...settings, segmentMs: 2000 });
  await first.setAnchor('unknown', anchor);
  const second = await loaded();
  assert.deepEqual(
    second.list().map(({ name }) => name),
    ['a', 'cam'],
  );
  assert.equal(second.get('cam')?.segmentMs, 2000);
  assert.deepEqual(second.anchor('cam'), anchor, 'changed settings keep the numbers');
  await second.delete('a');
  assert.equal((await loaded()).get('a'), undefined);
  assert.deepEqual(readdirSync(directory), ['streams.json']);
  assert.equal(JSON.parse(readFileSync(file, 'utf8')).streams.length, 1);
});

test('a damaged file is named, and not taken for an empty one', async () => {
  for (const text of [
    '',
    '{',
    '[]',
    '{"streams":[{"name":"../x"}]}',
    '{"streams":[{"name":"cam","volume":"main","segmentMs":-1,"evidence":false}]}',
    JSON.stringify({ streams: [{ ...settings, anchor: { hour: 1 } }] }),
  ]) {
    writeFileSync(file, text);
    await assert.rejects(
      loaded(),
      (error) => error instanceof ReelError && error.code === 'config-invalid' && error.message.includes(file),
      text,
    );
  }
});

test('names', () => {
  for (const name of ['cam', 'Cam-1_a', '9', 'x'.repeat(63)]) assert.equal(checkStreamName(name), name);
  for (const name of ['', '.', '..', '-a', '_a', 'a/b', 'a.b', 'a b', 'ä', 'a\u0000', 'x'.repeat(64), 'a\n'])
    assert.ok(!isStreamName(name), JSON.stringify(name));
});
