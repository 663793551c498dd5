/** `reelvault volume unbind`. */
import type { Command } from 'commander';
import type { UnboundView } from '../http/volume-unlock.ts';
import { type CurrentKeyOptions, currentKey, currentKeyOptions, joinSecrets } from './current-key.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { volumeUrl } from './volume-url.ts';

interface Options extends GlobalOptions, CurrentKeyOptions {
  readonly slot: string;
}

export const volumeUnbind = (parent: Command): void => {
  currentKeyOptions(parent.command('unbind <name>'))
    .description('remove a binding and its key')
    .requiredOption('--slot <number>', 'its slot, as `volume key list` shows it')
    .addHelpText(
      'after',
      `
--passphrase-file, --ask or --recovery is a key that stays, as proof that somebody knows one; without them the key file is.

Examples:
  reelvault volume unbind main --slot 2
  reelvault volume unbind main --slot 2 --ask`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { body, query } = joinSecrets(await currentKey(options), undefined);
      try {
        const url = volumeUrl(name, `/bindings/${encodeURIComponent(options.slot)}/remove?${query}`);
        const gone = await clientOf(options).post<UnboundView>(url, body);
        const text = gone.slot === null ? `no slot ${options.slot}` : `slot ${gone.slot} and its binding are removed`;
        print(options, gone, `${name}: ${text}`);
      } finally {
        body?.fill(0);
      }
    });
};
