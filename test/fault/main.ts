/**
 * `npm run faults [-- --only NAME,… --at TEXT --from N --to N --every N --json]`: every fault of every operation (docs/testing.md), or each N-th of them,
 * or those from the N-th on or up to it, or those at calls that hold TEXT (`exec cat`). What is not as documented goes to stderr as it is found, and how far it is; the last line of
 * stdout is the count, or with --json one object with the figures.
 */
import { parseArgs } from 'node:util';
import { runFaults, summary } from './run.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    only: { type: 'string' },
    at: { type: 'string', default: '' },
    from: { type: 'string', default: '1' },
    to: { type: 'string', default: 'Infinity' },
    every: { type: 'string', default: '1' },
  },
});
const every = Number(values.every);
const skipped = Number(values.from) - 1;
const end = Number(values.to);
let tried = 0;
const figures = await runFaults({
  engine: 'userspace',
  only: values.only?.split(','),
  choose: (cases, operation) => {
    const chosen = cases
      .filter(({ call: { program, call, path } }) => `${program} ${call} ${path}`.includes(values.at))
      .filter((_, index) => index >= skipped && index < end && index % every === 0);
    process.stderr.write(`${operation}: ${chosen.length} faults\n`);
    return chosen;
  },
  tell: (outcome) => {
    tried += 1;
    if (tried % 50 === 0) process.stderr.write(`${tried} tried\n`);
    if (outcome.wrong.length > 0) process.stderr.write(`${JSON.stringify(outcome)}\n`);
  },
});
process.stdout.write(`${values.json === true ? JSON.stringify(figures) : summary(figures)}\n`);
process.exitCode = figures.wrong.length === 0 ? 0 : 1;
