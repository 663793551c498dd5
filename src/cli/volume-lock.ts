/** `reelvault volume lock`. */
import type { Command } from 'commander';
import type { VolumeView } from '../http/volumes.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';

export const volumeLock = (parent: Command): void => {
  parent
    .command('lock <name>')
    .description('unmount and close a volume')
    .option('--drain', 'end the recordings of this volume first')
    .addHelpText(
      'after',
      `
Refused while something uses the volume; the answer says who.

Examples:
  reelvault volume lock main
  reelvault volume lock main --drain`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly drain?: boolean }>();
      const url = `/volumes/${encodeURIComponent(name)}/lock?drain=${options.drain === true}`;
      const volume = await clientOf(options).post<VolumeView>(url);
      print(options, volume, `${volume.name}: ${volume.state}`);
    });
};
