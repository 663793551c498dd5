/** `reelvault volume key change`. */
import type { Command } from 'commander';
import { ReelError } from '../errors.ts';
import type { KeyChangedView } from '../http/volume-keys.ts';
import { type CurrentKeyOptions, currentKey, currentKeyOptions, joinSecrets, newPassphrase } from './current-key.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { keysUrl } from './volume-url.ts';

interface Options extends GlobalOptions, CurrentKeyOptions {
  readonly newPassphraseFile?: string;
}

/** That the old one is gone is said only where a slot of it was removed: one that opens nothing may as well be mistyped. */
const told = (name: string, { slot, removed, left }: KeyChangedView): string => {
  if (removed.length > 0) {
    return `${name}: the new passphrase is in slot ${slot}, the old one is gone with slot ${removed.join(', ')}; slots left: ${left.join(', ')}`;
  }
  return [
    `${name}: no key was removed: the old passphrase opens nothing (changed already, or mistyped); the new one is in slot ${slot}`,
    `slots left: ${left.join(', ')}; each opens as before. \`reelvault volume key list ${name}\` shows them, \`key remove\` takes one away`,
  ].join('\n');
};

export const volumeKeyChange = (parent: Command): void => {
  currentKeyOptions(parent.command('change <name>'))
    .description('put a new passphrase in the place of another')
    .option('--new-passphrase-file <file>', 'the new passphrase is the bytes of this file; without it, it is asked for')
    .addHelpText(
      'after',
      `
The volume may be open. The old passphrase is removed once the new one is proven. Where it opens nothing and the new one does, the change was
made already, or the old one is mistyped: the answer then says that no key was removed, and which slots are left. A key file is changed with \`key rotate\`.

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
        const changed = await clientOf(options).post<KeyChangedView>(`${keysUrl(name, '/change')}?${query}`, body);
        print(options, changed, told(name, changed));
      } finally {
        body?.fill(0);
      }
    });
};
