/** `reelvault volume key change`. */
import type { Command } from 'commander';
import { ReelError } from '../errors.ts';
import type { KeyAddedView } from '../http/volume-keys.ts';
import { type CurrentKeyOptions, currentKey, currentKeyOptions, joinSecrets, newPassphrase } from './current-key.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { keysUrl } from './volume-url.ts';

interface Options extends GlobalOptions, CurrentKeyOptions {
  readonly newPassphraseFile?: string;
}

export const volumeKeyChange = (parent: Command): void => {
  currentKeyOptions(parent.command('change <name>'))
    .description('put a new passphrase in the place of another')
    .option('--new-passphrase-file <file>', 'the new passphrase is the bytes of this file; without it, it is asked for')
    .addHelpText(
      'after',
      `
The volume may be open. The old passphrase is removed once the new one is proven. A key file is changed with \`key rotate\`.

Examples:
  reelvault volume key change main --ask
  reelvault volume key change main --passphrase-file old --new-passphrase-file new`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const old = await currentKey(options);
      if (old === undefined) {
        throw new ReelError('invalid-argument', {
          expected: 'the old passphrase: --ask, --passphrase-file or --recovery',
          got: 'none',
        });
      }
      const { body, query } = joinSecrets(old, await newPassphrase(options.newPassphraseFile));
      try {
        const changed = await clientOf(options).post<KeyAddedView>(`${keysUrl(name, '/change')}?${query}`, body);
        print(options, changed, `${name}: the new passphrase is in slot ${changed.slot}, the old one is gone`);
      } finally {
        body?.fill(0);
      }
    });
};
