/** `reelvault volume key rotate`. */
import type { Command } from 'commander';
import type { KeyAddedView } from '../http/volume-keys.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { keysUrl } from './volume-url.ts';

export const volumeKeyRotate = (parent: Command): void => {
  parent
    .command('rotate <name>')
    .description('put a new random key file in the place of the volume’s')
    .addHelpText(
      'after',
      `
The volume may be open and recorded into. Copies of the old key file open nothing any more: make new ones.
After an interruption the same call finishes. Passphrases are changed with \`key change\`, the recovery key with \`key recovery\`.

Examples:
  reelvault volume key rotate main`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const rotated = await clientOf(options).post<KeyAddedView>(keysUrl(name, '/rotate'));
      print(options, rotated, `${name}: the new key file is in slot ${rotated.slot}; renew the copies you keep of it`);
    });
};
