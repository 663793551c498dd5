/** `reelvault volume grow`. */
import type { Command } from 'commander';
import { parseSize } from '../config/size.ts';
import type { GrownView } from '../http/volume-grow.ts';
import type { VolumeView } from '../http/volumes.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { formatBytes, print } from './output.ts';

/** What it has, or is on its way to. */
const netSizeOf = ({ growing, netSize }: VolumeView): number => growing?.to ?? netSize;

export const volumeGrow = (parent: Command): void => {
  parent
    .command('grow <name>')
    .description('make a volume larger, while it is recorded into or locked')
    .requiredOption('--size <size>', 'new net size, such as 20G, or how much more, such as +5G')
    .addHelpText(
      'after',
      `
The size is net, as that of a new volume: the LUKS header comes on top. No key is needed and nothing stops. The same size again finishes
a grow that was interrupted. A volume never shrinks.

Examples:
  reelvault volume grow main --size 750G
  reelvault volume grow main --size +250G`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly size: string }>();
      const client = clientOf(options);
      const url = `/volumes/${encodeURIComponent(name)}`;
      const more = options.size.startsWith('+');
      const wanted = parseSize(more ? options.size.slice(1) : options.size);
      const size = more ? netSizeOf(await client.get<VolumeView>(url)) + wanted : wanted;
      const answer = await client.post<GrownView>(`${url}/grow?size=${size}`);
      const { volume, grown } = answer;
      const waits =
        grown.filesystem === 'grown' ? '' : `\nthe filesystem gets its new size at the next open: ${grown.reason}`;
      const sizes = `${formatBytes(grown.from)} to ${formatBytes(grown.to)}`;
      print(options, answer, `${volume.name}: ${volume.state}, grown from ${sizes}${waits}`);
    });
};
