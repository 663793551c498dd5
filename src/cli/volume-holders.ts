/** `reelvault volume holders`. */
import type { Command } from 'commander';
import type { HolderView } from '../http/volume-lock.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { holderTable, print } from './output.ts';

export const volumeHolders = (parent: Command): void => {
  parent
    .command('holders <name>')
    .description('who uses a volume: processes, loop devices, swap files, other mounts')
    .addHelpText(
      'after',
      `
The service itself is listed while the volume is open; it lets go when the volume is locked.

Example:
  reelvault volume holders main`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const url = `/volumes/${encodeURIComponent(name)}/holders`;
      const answer = await clientOf(options).get<{ holders: HolderView[] }>(url);
      print(options, answer, answer.holders.length === 0 ? 'nobody' : holderTable(answer.holders));
    });
};
