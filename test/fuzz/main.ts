/**
 * `npm run fuzz -- [--seconds 600] [--target NAME …] [--keep] [--json]`: fuzzes each target for so long. What it found before is in
 * `.cache/fuzz` and is where it goes on; inputs that break something are in `.cache/fuzz/findings`. `--keep` replaces `fixtures/fuzz` by the
 * smallest set of inputs that reaches all that is known. Exit code 1 when something broke.
 */
import { mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { buildTargets, distil, type FuzzRun, fuzz, keptInputs, type Target, targets, writeSeeds } from './fuzz.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    target: { type: 'string', multiple: true, default: [...targets] },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const wrong = values.target.find((name) => !targets.includes(name as Target));
if (wrong !== undefined || !Number.isInteger(seconds) || seconds < 1) {
  const got = wrong === undefined ? `"${values.seconds}" for --seconds` : `"${wrong}" for --target`;
  process.stderr.write(`Expected whole seconds, and of the targets ${targets.join(', ')}, got ${got}\n`);
  process.exit(2);
}
const cache = path.resolve(import.meta.dirname, '../../.cache/fuzz');
await buildTargets(true);
await writeSeeds(cache);
const runs: FuzzRun[] = [];
for (const target of values.target as Target[]) {
  const found = path.join(cache, target);
  const run = await fuzz({
    target,
    directories: [found, keptInputs(target)],
    findings: path.join(cache, 'findings'),
    limit: { seconds },
  });
  runs.push(run);
  process.stderr.write(
    `${target}: ${run.executions} executions in ${run.seconds} s, ${run.covered} edges, ${run.finding === null ? 'nothing found' : `broken by ${run.finding.input}\n${run.finding.report}`}\n`,
  );
  if (!values.keep || run.finding !== null) continue;
  const kept = await mkdtemp(path.join(cache, 'kept-'));
  await distil(target, kept, [keptInputs(target), found]);
  await rm(keptInputs(target), { recursive: true });
  await rename(kept, keptInputs(target));
}
const report = Object.fromEntries(
  runs.map(({ target, finding, ...figures }) => [target, { ...figures, finding: finding?.input ?? null }]),
);
if (values.json) process.stdout.write(`${JSON.stringify({ fuzz: report })}\n`);
if (runs.some(({ finding }) => finding !== null)) process.exitCode = 1;
