/** The tools that judge the source: types, lint and format, layers. A warning is a failure. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');
const run = promisify(execFile);

const tool = async (name: string, args: string[]): Promise<void> => {
  try {
    await run(path.join(root, 'node_modules/.bin', name), args, { cwd: root, maxBuffer: 1 << 26 });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    assert.fail(`${name} ${args.join(' ')}\n${stdout}\n${stderr}`);
  }
};

test('the types hold', () => tool('tsc', ['--noEmit']));
test('lint and format', () => tool('biome', ['check', '--error-on-warnings', '.']));
test('the layers hold', () => tool('depcruise', ['--config', '.dependency-cruiser.cjs', 'src']));
