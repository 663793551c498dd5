/** `reelvault volume grow`. */
import type { Command } from 'commander';
import { formatBytes, parseSize } from '../config/size.ts';
import type { GrownView } from '../http/volume-grow.ts';
import type { VolumeView } from '../http/volumes.ts';
import type { AdminClient } from './client.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { formatApart, print } from './output.ts';

/** What it has, or is on its way to. */
const netSizeOf = ({ growing, netSize }: VolumeView): number => growing?.to ?? netSize;

const newSizeOf = async (client: AdminClient, url: string, text: string): Promise<number> => {
  if (!text.startsWith('+')) return parseSize(text);
  return netSizeOf(await client.get<VolumeView>(url)) + parseSize(text.slice(1));
};

export const grownText = ({ from, to }: Pick<GrownView['grown'], 'from' | 'to'>): string =>
  from === to ? `has this size already: ${formatBytes(to)}` : `grown from ${formatApart(from, to).join(' to ')}`;

export const volumeGrow = (parent: Command): void => {
  parent
    .command('grow <name>')
    .description('make a volume larger, while it is recorded into or locked')
    .option('--size <size>', 'new net size, such as 20G, or how much more, such as +5G; none for one on a block device')
    .addHelpText(
      'after',
      `
The size is net, as that of a new volume: the LUKS header comes on top. No key is needed and nothing stops. The same size again finishes
a grow that was interrupted. A volume never shrinks.

A volume on a block device has all of it: make the device larger first (lvextend, a larger disk), then grow the open volume without --size.

Examples:
  reelvault volume grow main --size 750G
  reelvault volume grow main --size +250G
  lvextend --size +250G /dev/vg0/dvr && reelvault volume grow dvr`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly size?: string }>();
      const client = clientOf(options);
      const url = `/volumes/${encodeURIComponent(name)}`;
      const query = options.size === undefined ? '' : `?size=${await newSizeOf(client, url, options.size)}`;
      const answer = await client.post<GrownView>(`${url}/grow${query}`);
      const { volume, grown } = answer;
      const waits =
        grown.filesystem === 'grown' ? '' : `\nthe filesystem gets its new size at the next open: ${grown.reason}`;
      print(options, answer, `${volume.name}: ${volume.state}, ${grownText(grown)}${waits}`);
    });
};
