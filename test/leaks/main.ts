/**
 * `npm run leaks -- [--cycles 50] [--json]`: the figures, with `--json` as one JSON object in the last line. Exit code 1 when anything was lost
 * or wrong; what valgrind said is then on stderr.
 */
import { parseArgs } from 'node:util';
import { findLeaks } from './leaks.ts';

const { values } = parseArgs({ options: { cycles: { type: 'string', default: '50' }, json: { type: 'boolean' } } });
const cycles = Number(values.cycles);
if (!Number.isInteger(cycles) || cycles < 1) {
  process.stderr.write(`Expected a number of cycles for --cycles, got "${values.cycles}"\n`);
  process.exit(2);
}
const { text, ...figures } = await findLeaks(cycles);
const { lost, errors, passed, seconds } = figures;
process.stdout.write(
  values.json === true
    ? `${JSON.stringify(figures)}\n`
    : `leaks: ${cycles} cycles in ${seconds} s, ${lost} bytes lost, ${errors} errors, the cycles ${passed ? 'passed' : 'failed'}\n`,
);
if (lost > 0 || errors > 0 || !passed) {
  process.stderr.write(text);
  process.exitCode = 1;
}
