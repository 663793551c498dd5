/** `reelvault volume show`. */
import type { Command } from 'commander';
import { formatBytes } from '../config/size.ts';
import type { VolumeView } from '../http/volumes.ts';
import { type FailureView, failureText } from './failure-text.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { growingNote } from './volume-list.ts';

const bytes = new Set(['size', 'netSize', 'capacity', 'available']);

/** One line a fact, in the order of the answer; what is not known is left out. */
export const volumeFacts = (volume: VolumeView): string =>
  Object.entries(volume)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => {
      if (name === 'failure') return `${name}: ${failureText(value as FailureView)}`;
      if (name === 'growing') return `growing: ${growingNote(volume, value as NonNullable<VolumeView['growing']>)}`;
      if (bytes.has(name)) return `${name}: ${formatBytes(value as number)} (${value} bytes)`;
      return `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`;
    })
    .join('\n');

export const volumeShow = (parent: Command): void => {
  parent
    .command('show <name>')
    .description('everything about one volume')
    .addHelpText(
      'after',
      `
size is the container's, netSize the decrypted device's, capacity and available are the mounted filesystem's.

Examples:
  reelvault volume show main
  reelvault volume show main --json`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const volume = await clientOf(options).get<VolumeView>(`/volumes/${encodeURIComponent(name)}`);
      print(options, volume, volumeFacts(volume));
    });
};
