/** `reelvault volume holders`. */
import type { Command } from 'commander';
import type { HolderView } from '../http/volume-lock.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { holderTable, print } from './output.ts';

const told = (holders: readonly HolderView[]): string => {
  const others = holders.filter(({ service }) => !service);
  const own = holders.length - others.length;
  const service = own === 0 ? [] : [`the service itself: ${own}, which it lets go of when the volume is locked`];
  return [others.length === 0 ? 'nobody' : holderTable(others), ...service].join('\n');
};

export const volumeHolders = (parent: Command): void => {
  parent
    .command('holders <name>')
    .description('who uses a volume: processes, loop devices, swap files, other mounts')
    .addHelpText(
      'after',
      `
The service itself is counted only (--json lists it): it lets go when the volume is locked.

Example:
  reelvault volume holders main`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const url = `/volumes/${encodeURIComponent(name)}/holders`;
      const answer = await clientOf(options).get<{ holders: HolderView[] }>(url);
      print(options, answer, told(answer.holders));
    });
};
