/** The tools that judge the source: types, lint and format, layers. A warning is a failure. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { glob, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');
const run = promisify(execFile);

const tool = async (name: string, args: string[], cwd = root): Promise<string> => {
  try {
    return (await run(path.join(root, 'node_modules/.bin', name), args, { cwd, maxBuffer: 1 << 26 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    assert.fail(`${name} ${args.join(' ')}\n${stdout}\n${stderr}`);
  }
};

interface Cruise {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
  };
}

const layers = async (cwd: string): Promise<Cruise> => {
  const config = path.join(root, '.dependency-cruiser.cjs');
  return JSON.parse(await tool('depcruise', ['--config', config, '--output-type', 'json', 'src'], cwd)) as Cruise;
};

test('the types hold', async () => {
  await tool('tsc', ['--noEmit']);
});

test('lint and format', async () => {
  await tool('biome', ['check', '--error-on-warnings', '.']);
});

test('the layers hold, and every module was looked at', async () => {
  const { modules, summary } = await layers(root);
  assert.deepEqual(summary.violations, []);
  const seen = new Set(modules.map((module) => module.source));
  // A reader that does not understand TypeScript finds no module and therefore no violation.
  for await (const file of glob('src/**/*.ts', { cwd: root })) assert.ok(seen.has(file), `${file} was not looked at`);
});

test('an import upwards is found', async () => {
  const tree = await mkdtemp(path.join(os.tmpdir(), 'layers-'));
  try {
    await mkdir(path.join(tree, 'src/archive'), { recursive: true });
    await mkdir(path.join(tree, 'src/http'));
    await writeFile(path.join(tree, 'src/http/app.ts'), 'export const app = 1;\n');
    await writeFile(
      path.join(tree, 'src/archive/wrong.ts'),
      "import { app } from '../http/app.ts';\nexport const wrong = app;\n",
    );
    const { violations } = (await layers(tree)).summary;
    assert.deepEqual(
      violations.map(({ from, rule }) => [from, rule.name]),
      [['src/archive/wrong.ts', 'archive']],
    );
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
});
