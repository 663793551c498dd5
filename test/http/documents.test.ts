import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { errorTable } from '../../src/errors.ts';
import { describeApi, openapiFile } from '../../src/http/openapi.ts';

test('docs/openapi.json is what the routes say', async () => {
  assert.equal(await readFile(openapiFile, 'utf8'), await describeApi(), 'stale: run npm run openapi');
});

test('docs/errors.md lists every error of the table, with its text and numbers, and no other', async () => {
  const page = await readFile(path.resolve(import.meta.dirname, '../../docs/errors.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z0-9-]+)` \| (.+) \| (\w+) \| (\d+) \| (\d+) \| (yes|no) \|$/gm)].map(
    (row) => row.slice(1),
  );
  const wanted = Object.entries(errorTable).map(([code, row]) => [
    code,
    row.text,
    row.kind,
    String(row.http),
    String(row.exit),
    row.retryable ? 'yes' : 'no',
  ]);
  const lines = (table: readonly (readonly string[])[]): string => table.map((row) => row.join(' | ')).join('\n');
  assert.equal(lines(rows), lines(wanted));
});
