/** `reelvault stream gaps`. */
import type { Command } from 'commander';
import type { StreamGap } from '../http/stream-recording.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print, table } from './output.ts';
import { formatInstant, instant } from './times.ts';

interface GapsOptions extends GlobalOptions {
  readonly from?: number;
  readonly to?: number;
}

const row = ({ from, to, reasons }: StreamGap): string[] => [
  formatInstant(Math.floor(from)),
  formatInstant(Math.ceil(to)),
  `${(to - from).toFixed(1)} s`,
  reasons.length === 0 ? 'unexplained' : reasons.join(', '),
];

export const streamGaps = (parent: Command): void => {
  parent
    .command('gaps <name>')
    .description('where nothing was recorded between recordings, and why')
    .option('--from <time>', 'such as 2026-11-21T14:00:00Z, or Unix seconds (default: a day before --to)', instant)
    .option('--to <time>', 'default: now', instant)
    .addHelpText(
      'after',
      '\nunexplained: nobody published, or something was lost.\n\nExample:\n  reelvault stream gaps cam1 --from 2026-11-20T00:00:00Z',
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GapsOptions>();
      const to = options.to ?? Math.ceil(Date.now() / 1000);
      const query = new URLSearchParams({ from: String(options.from ?? to - 86_400), to: String(to) });
      const url = `/streams/${encodeURIComponent(name)}/gaps?${query}`;
      const answer = await clientOf(options).get<{ gaps: StreamGap[] }>(url);
      print(options, answer, table(['FROM', 'TO', 'LENGTH', 'WHY'], answer.gaps.map(row)));
    });
};
