/**
 * `npm run crash-matrix [-- --json --operation NAME …]`: the whole matrix with each engine that this machine has. Progress goes to stderr;
 * the last line of stdout is the table's sum, or with `--json` one JSON object `{kills, recovered, failed, by}`.
 */
import { parseArgs } from 'node:util';
import { useCompileCache } from '../../compile-cache.ts';
import { usableEngines } from '../../helper/harness.ts';
import { runMatrix, tableOf } from './matrix.ts';
import { type OperationName, operations } from './operations.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, operation: { type: 'string', multiple: true } } });
const only = (values.operation ?? Object.keys(operations)) as OperationName[];
const unknown = only.find((name) => !Object.hasOwn(operations, name));
if (unknown !== undefined) {
  process.stderr.write(`Expected one of ${Object.keys(operations).join(', ')} as an operation, got "${unknown}"\n`);
  process.exit(2);
}
useCompileCache();
for (const engine of await usableEngines()) {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const report = await runMatrix({ engine, only, choose: (cells) => cells, say });
  const { failures, ...figures } = report;
  for (const failure of failures) say(`failed: ${failure}`);
  process.stdout.write(values.json === true ? `${JSON.stringify({ engine, ...figures })}\n` : `${tableOf(report)}\n`);
  if (failures.length > 0) process.exitCode = 1;
}
