/** The page docs/volume-operations.md: what each operation does in each state, with each engine. Its tables are outcomes that were observed. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { EngineName } from '../../src/volume/states.ts';

export const page = path.resolve(import.meta.dirname, '../../docs/volume-operations.md');
/** Set it to have the tables written and not compared. */
export const writing = process.env.REELVAULT_WRITE_OPERATIONS === '1';

/** The machine sees this tree, and cannot change it: where it leaves its table for the host. */
export const shared = '/exchange/operations-table.md';

/** Outcomes by operation, then by state. */
export type Outcomes = ReadonlyMap<string, ReadonlyMap<string, string>>;

const heading = (engine: EngineName): string => `## The ${engine} engine\n`;

/** The table of an engine, as it stands on the page. */
export const tableOf = (outcomes: Outcomes): string => {
  const states = [...new Set([...outcomes.values()].flatMap((row) => [...row.keys()]))];
  const lines = [
    `| | ${states.join(' | ')} |`,
    `|---|${states.map(() => '---').join('|')}|`,
    ...[...outcomes].map(
      ([operation, row]) => `| **${operation}** | ${states.map((state) => row.get(state) ?? '').join(' | ')} |`,
    ),
  ];
  return `${lines.join('\n')}\n`;
};

const bounds = (text: string, engine: EngineName): [from: number, to: number] => {
  const at = text.indexOf(heading(engine));
  if (at < 0) throw new Error(`${page} has no part "${heading(engine).trim()}"`);
  const from = at + heading(engine).length;
  const next = text.indexOf('\n## ', from);
  return [from, next < 0 ? text.length : next];
};

export const readTable = async (engine: EngineName): Promise<string> => {
  const text = await readFile(page, 'utf8');
  return text.slice(...bounds(text, engine));
};

export const writeTable = async (engine: EngineName, table: string): Promise<void> => {
  const text = await readFile(page, 'utf8');
  const [from, to] = bounds(text, engine);
  await writeFile(page, text.slice(0, from) + table + text.slice(to));
};
