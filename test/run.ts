/**
 * Runs every `*.test.ts` below `test/` (or those named on the command line) with node:test and ends with the line
 * `N passed, N failed, N skipped`. Each skip names the capability that is missing; exit code 1 when anything failed, or was skipped for
 * a reason that `skips.ts` does not know.
 */
import { glob } from 'node:fs/promises';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { useCompileCache } from './compile-cache.ts';
import { dishonestSkips, type Skip, vmSuites } from './skips.ts';

const root = path.resolve(import.meta.dirname, '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, concurrency: { type: 'string', default: '2' } },
});

/** The emulated machine takes longest; whatever else there is runs beside it. */
const longestFirst = (one: string, other: string): number =>
  Number(other === vmSuites) - Number(one === vmSuites) || one.localeCompare(other);

const named = positionals.map((name) => path.resolve(name));
const files =
  named.length > 0
    ? named
    : (await Array.fromAsync(glob('test/**/*.test.ts', { cwd: root })))
        .sort(longestFirst)
        .map((file) => path.join(root, file));

/** For one file. All suites of the kernel engine are in one. */
const hours = process.env.REELVAULT_VM === 'all' ? 10 : 2;

useCompileCache();
const counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
const skips: Skip[] = [];
const vmPassed = new Set<string>();

const stream = run({
  files,
  concurrency: Number(values.concurrency),
  timeout: hours * 60 * 60_000,
  ...(values.only === undefined ? {} : { testNamePatterns: values.only }),
});
stream.on('test:pass', (event) => {
  if (event.details.type === 'suite') return;
  const file = path.relative(root, event.file ?? '');
  if (event.skip === undefined && event.todo === undefined) {
    counts.passed += 1;
    if (file === vmSuites) vmPassed.add(event.name);
  } else {
    counts.skipped += 1;
    skips.push({ file, name: event.name, reason: String(event.skip ?? event.todo) });
  }
});
stream.on('test:fail', (event) => {
  // A suite fails because a test in it failed; counting it too would count the failure twice.
  if (event.details.type === 'suite' && String(event.details.error.cause).includes('subtest')) return;
  counts.failed += 1;
  failures.push(`${path.relative(root, event.file ?? '')}: ${event.name}`);
});
stream.compose(spec).pipe(process.stdout);
await new Promise((resolve) => stream.once('end', resolve).once('close', resolve));

const whole = named.length === 0 && values.only === undefined;
for (const line of dishonestSkips({ skips, vmPassed, whole })) {
  counts.failed += 1;
  failures.push(line);
}
process.stdout.write(
  `\n${skips.map(({ name, reason }) => `skipped: ${name}: ${reason}\n`).join('')}${failures.map((line) => `failed: ${line}\n`).join('')}`,
);
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
