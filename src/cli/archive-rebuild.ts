/** `reelvault archive rebuild`. */
import type { Command } from 'commander';
import type { ArchiveCatalogView } from '../http/archive-catalog.ts';
import type { AdminClient } from './client.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { volumeUrl } from './volume-url.ts';

const everyMs = 200;
/** What a catalog that cannot be had ends with; docs/errors.md. */
const failedExit = 8;

const farText = ({ volume, rebuild }: ArchiveCatalogView): string =>
  `${volume}: ${rebuild?.streamsDone ?? 0} of ${rebuild?.streams ?? 0} streams, ${rebuild?.reels ?? 0} reels`;

/** Waits for the end of the rebuild. It goes on where this command is ended. */
const follow = async (client: AdminClient, url: string): Promise<ArchiveCatalogView> => {
  let view = await client.postJson<ArchiveCatalogView>(`${url}/rebuild`, {});
  while (view.state === 'starting' || view.state === 'rebuilding') {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${farText(view)}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
    view = await client.get<ArchiveCatalogView>(url);
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return view;
};

export const archiveRebuild = (parent: Command): void => {
  parent
    .command('rebuild <volume>')
    .description('make the catalog of an open volume anew from its reels, and wait for it')
    .addHelpText(
      'after',
      `
For reels that were copied into the volume or removed from it by hand, and for a catalog that has failed. Reads the index of every reel. Recording
and playback go on meanwhile, retention waits.

Exit code 8 where it failed.

Example:
  reelvault archive rebuild main`,
    )
    .action(async (volume: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const view = await follow(clientOf(options), volumeUrl(volume, '/catalog'));
      const { reels = 0, streams = 0 } = view.rebuild ?? {};
      const text =
        view.state === 'ready'
          ? `${volume}: the catalog has ${reels} reels of ${streams} streams`
          : `${volume}: the catalog is ${view.state}${view.problem === null ? '' : `: ${view.problem}`}`;
      print(options, view, text);
      if (view.state !== 'ready') process.exitCode = failedExit;
    });
};
