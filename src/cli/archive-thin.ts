/** `reelvault archive thin`. */
import { type Command, Option } from 'commander';
import type { PurgeReport } from '../archive/retention/report.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { oneVolume } from './one-volume.ts';
import { print } from './output.ts';
import { purgeText } from './purge-text.ts';

interface ThinOptions extends GlobalOptions {
  readonly volume?: string;
  readonly bytes: string;
  readonly urgency: string;
  readonly dryRun?: boolean;
  readonly allowMost?: boolean;
}

export const archiveThin = (parent: Command): void => {
  parent
    .command('thin')
    .description('free so many bytes now, the least needed recordings first')
    .requiredOption('--bytes <size>', 'how much is to be free more, such as 50G')
    .addOption(new Option('--urgency <level>', 'how far it may go').choices(['1', '2', '3', '4']).default('1'))
    .option('--volume <name>', 'the volume')
    .option('--dry-run', 'only show what would go')
    .option('--allow-most', 'also where it is more than half of the archive')
    .addHelpText(
      'after',
      `
Urgency: 1 what the age rule takes within a day, 2 what has lived for half of its time, 3 the older half of each stream, 4 everything.
Each may take what those before it may, and takes that first; then the oldest. Episodes and what is being recorded never go.
Exit code 7 where less was freed than asked for: a higher urgency may take more.

Examples:
  reelvault archive thin --bytes 50G --dry-run
  reelvault archive thin --bytes 50G --urgency 3`,
    )
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<ThinOptions>();
      const client = clientOf(options);
      const volume = await oneVolume(client, options.volume);
      const query = new URLSearchParams({
        bytes: options.bytes,
        urgency: options.urgency,
        dryRun: String(options.dryRun === true),
        allowMost: String(options.allowMost === true),
      });
      const report = await client.post<PurgeReport>(`/volumes/${encodeURIComponent(volume)}/thin?${query}`);
      print(options, report, purgeText(report));
      if (report.short > 0) process.exitCode = 7;
    });
};
