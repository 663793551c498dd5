/** `reelvault audit list` and `reelvault audit verify`. */
import type { Command } from 'commander';
import type { AuditEntry } from '../audit/chain.ts';
import type { Verdict } from '../audit/files.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print, table } from './output.ts';

const inWords = (facts: Readonly<Record<string, unknown>>): string =>
  Object.entries(facts)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');

const row = (entry: AuditEntry): string[] => [
  String(entry.sequence),
  entry.time,
  inWords(entry.who),
  entry.act,
  entry.phase,
  inWords({ ...entry.what, ...entry.outcome }),
];

const verdict = ({ whole, entries, from, last, problem }: Verdict): string => {
  const about = `${entries} entries from ${from ?? 'none'} to ${last?.sequence ?? 'none'}`;
  if (!whole) return `broken after ${about}: ${problem?.file} line ${problem?.line}: ${problem?.reason}`;
  return `whole: ${about}${last === null ? '' : `\nhash of the newest: ${last.hash}`}`;
};

export const audit = (parent: Command): void => {
  const group = parent
    .command('audit')
    .description('who did what: the audit trail')
    .addHelpText('after', '\nExamples:\n  reelvault audit list --limit 1000\n  reelvault audit verify');
  group
    .command('list')
    .description('the newest entries, oldest first')
    .option('--limit <count>', 'how many', '100')
    .addHelpText('after', '\nExamples:\n  reelvault audit list\n  reelvault audit list --limit 1000 --json')
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly limit: string }>();
      const query = new URLSearchParams({ limit: options.limit });
      const answer = await clientOf(options).get<{ entries: AuditEntry[] }>(`/audit?${query}`);
      print(options, answer, table(['NUMBER', 'TIME', 'WHO', 'ACT', 'PHASE', 'FACTS'], answer.entries.map(row)));
    });
  group
    .command('verify')
    .description('whether no entry was changed or removed; exit code 6 where one was')
    .addHelpText(
      'after',
      '\nKeep the hash of the newest entry elsewhere: it shows later that the whole trail was not made anew.\n\nExample:\n  reelvault audit verify',
    )
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const answer = await clientOf(options).get<Verdict>('/audit/verify');
      print(options, answer, verdict(answer));
      if (!answer.whole) process.exitCode = 6;
    });
};
