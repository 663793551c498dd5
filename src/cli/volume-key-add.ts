/** `reelvault volume key add`. */
import type { Command } from 'commander';
import type { KeyAddedView } from '../http/volume-keys.ts';
import { type CurrentKeyOptions, currentKey, currentKeyOptions, joinSecrets, newPassphrase } from './current-key.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { keysUrl } from './volume-url.ts';

interface Options extends GlobalOptions, CurrentKeyOptions {
  readonly newPassphraseFile?: string;
  readonly keyFile?: boolean;
}

export const volumeKeyAdd = (parent: Command): void => {
  currentKeyOptions(parent.command('add <name>'))
    .description('add a passphrase, or a key file where the volume has none')
    .option('--new-passphrase-file <file>', 'the new passphrase is the bytes of this file; without it, it is asked for')
    .option('--key-file', 'make a random key file beside the containers')
    .addHelpText(
      'after',
      `
Without --passphrase-file, --ask and --recovery the key file of the volume unlocks.

Examples:
  reelvault volume key add main
  reelvault volume key add main --new-passphrase-file /dev/fd/3 3< secret
  reelvault volume key add main --ask --key-file`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const current = await currentKey(options);
      const other = options.keyFile === true ? undefined : await newPassphrase(options.newPassphraseFile);
      const { body, query } = joinSecrets(current, other);
      if (options.keyFile === true) query.set('kind', 'keyFile');
      try {
        const added = await clientOf(options).post<KeyAddedView>(`${keysUrl(name)}?${query}`, body);
        print(
          options,
          added,
          `${name}: ${added.added ? 'key added in' : 'this key is there already in'} slot ${added.slot}`,
        );
      } finally {
        body?.fill(0);
      }
    });
};
