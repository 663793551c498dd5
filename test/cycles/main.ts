/**
 * `npm run cycles -- [--count 200] [--json]`: progress on stderr, then the figures; with `--json` one JSON object as the last line. Exit code
 * 1 when anything is left behind. Ctrl-C ends it after the cycle that is going on, with the figures of those that were done.
 */
import { parseArgs } from 'node:util';
import { leftBehind, runCycles, tableOf } from './cycles.ts';

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, count: { type: 'string', default: '200' } },
});
const count = Number(values.count);
if (!Number.isInteger(count) || count < 1) {
  process.stderr.write(`Expected a number of cycles for --count, got "${values.count}"\n`);
  process.exit(2);
}
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const end = new AbortController();
process.once('SIGINT', () => end.abort());
const report = await runCycles({ count, warmAt: Math.min(10, Math.ceil(count / 2)), signal: end.signal, say });
const left = leftBehind(report);
for (const line of left) say(`left behind: ${line}`);
process.stdout.write(values.json === true ? `${JSON.stringify({ ...report, left })}\n` : `${tableOf(report)}\n`);
if (left.length > 0) process.exitCode = 1;
