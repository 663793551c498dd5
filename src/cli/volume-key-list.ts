/** `reelvault volume key list`. */
import type { Command } from 'commander';
import { formatBytes } from '../config/size.ts';
import type { KeyListView } from '../http/volume-keys.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print, table } from './output.ts';
import { keysUrl } from './volume-url.ts';

const cost = ({ kdf, iterations, memoryKiB }: KeyListView['keys'][number]): string => {
  const rounds = iterations === null ? '' : ` ${iterations} rounds`;
  return `${kdf}${rounds}${memoryKiB === null ? '' : `, ${formatBytes(memoryKiB * 1024)}`}`;
};

export const volumeKeyList = (parent: Command): void => {
  parent
    .command('list <name>')
    .description('list the keyslots of a volume')
    .addHelpText(
      'after',
      `
A slot without a kind was made by another program, or by a call that was cut short.

Examples:
  reelvault volume key list main
  reelvault volume key list main --json`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const list = await clientOf(options).get<KeyListView>(keysUrl(name));
      const rows = list.keys.map((key) => [
        ...[String(key.slot), key.binding ?? key.kind ?? '?', key.usable ? 'yes' : 'no', key.priority, cost(key)],
      ]);
      print(options, list, table(['SLOT', 'KIND', 'USABLE', 'PRIORITY', 'DERIVATION'], rows));
    });
};
