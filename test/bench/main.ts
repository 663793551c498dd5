/**
 * `npm run bench -- NAME [--json]`: runs test/bench/NAME.ts, which exports `bench`. Progress goes to stderr; the last line of
 * stdout is one JSON object with the raw figures and the `ratio_*` fields (medians).
 */
import { glob } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';

/** What a bench file exports as `bench`: runs, cleans up, and returns its figures. */
export type Bench = (say: (line: string) => void) => Promise<Record<string, unknown>>;

const known = (await Array.fromAsync(glob('*.ts', { cwd: import.meta.dirname })))
  .map((file) => path.basename(file, '.ts'))
  .filter((name) => name !== 'main' && !name.includes('-'))
  .sort();

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean' } } });
const name = positionals[0] ?? '';
if (positionals.length !== 1 || !known.includes(name)) {
  process.stderr.write(`Expected one of ${known.join(', ')} as the name of a bench, got "${positionals.join(' ')}"\n`);
  process.exit(2);
}
const { bench } = (await import(`./${name}.ts`)) as { bench: Bench };
const figures = { bench: name, ...(await bench((line) => process.stderr.write(`${line}\n`))) };
process.stdout.write(`${JSON.stringify(figures, null, values.json === true ? 0 : 2)}\n`);
