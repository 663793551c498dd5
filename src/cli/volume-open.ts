/** `reelvault volume open`. */
import type { Command } from 'commander';
import type { VolumeView } from '../http/volumes.ts';
import { type CurrentKeyOptions, currentKey, currentKeyOptions } from './current-key.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { afterWrongKey } from './next-steps.ts';
import { print } from './output.ts';
import { showProgress } from './volume-progress.ts';
import { volumeUrl } from './volume-url.ts';

interface Options extends GlobalOptions, CurrentKeyOptions {
  readonly readOnly?: boolean;
}

export const volumeOpen = (parent: Command): void => {
  currentKeyOptions(parent.command('open <name>'))
    .description('open and mount a volume')
    .option('--read-only', 'write nothing at all: streams can be played from it and not recorded into it')
    .addHelpText(
      'after',
      `
Without --passphrase-file, --ask and --recovery the key file of the volume is used.

Examples:
  reelvault volume open main
  reelvault volume open main --ask
  reelvault volume open main --recovery
  reelvault volume open evidence --read-only
  reelvault volume open main --passphrase-file /dev/fd/3 3< secret`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const secret = await currentKey(options);
      try {
        const url = `${volumeUrl(name, '/open')}?readOnly=${options.readOnly === true}`;
        const client = clientOf(options);
        const volume = await showProgress(client, volumeUrl(name), () => client.post<VolumeView>(url, secret)).catch(
          async (error: unknown) => {
            throw await afterWrongKey(error, client, name);
          },
        );
        const how = volume.readOnly === true ? `${volume.state} read-only` : volume.state;
        print(options, volume, `${volume.name}: ${how} at ${volume.mountPoint ?? '?'} (${volume.engine})`);
      } finally {
        secret?.fill(0);
      }
    });
};
