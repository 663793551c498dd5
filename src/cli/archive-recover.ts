/** `reelvault archive recover`. */
import type { Command } from 'commander';
import { formatBytes } from '../config/size.ts';
import type { RecoveredView } from '../http/archive-check.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { volumeUrl } from './volume-url.ts';

export const recoveredText = ({ reel, records, added, indexed, cutBytes, lost, leftOver }: RecoveredView): string =>
  [
    `${reel}: ${records} segments (${added} of them had no record), ${formatBytes(indexed)}; ${formatBytes(cutBytes)} cut off`,
    ...(leftOver > 0 ? [`${formatBytes(leftOver)} belong to no segment and stay as they are`] : []),
    ...(lost > 0 ? [`${lost} acknowledged segments are lost: the reel ends before them`] : []),
  ].join('\n');

export const archiveRecover = (parent: Command): void => {
  parent
    .command('recover <volume> <reel>')
    .description('make the index of a reel agree with the reel again; the reel is named as `reelvault check` names it')
    .addHelpText(
      'after',
      `
Records that do not hold are dropped, whole segments without one are indexed, a torn tail is cut off: what a start after a crash does. From a
reel that was closed nothing is cut but zeros at its end. An index that was signed is not the signed one afterwards, unless it comes out the same.

Example:
  reelvault archive recover main dvr/cam1/2026/11/21/14.ts`,
    )
    .action(async (volume: string, reel: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const query = new URLSearchParams({ reel });
      const found = await clientOf(options).postJson<RecoveredView>(volumeUrl(volume, `/reels/recover?${query}`), {});
      print(options, found, recoveredText(found));
    });
};
