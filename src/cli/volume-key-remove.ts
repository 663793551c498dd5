/** `reelvault volume key remove`. */
import type { Command } from 'commander';
import { ReelError } from '../errors.ts';
import type { KeyRemovedView } from '../http/volume-keys.ts';
import { type CurrentKeyOptions, currentKey, currentKeyOptions, joinSecrets } from './current-key.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { readSecret } from './secret.ts';
import { keysUrl } from './volume-url.ts';

interface Options extends GlobalOptions, CurrentKeyOptions {
  readonly slot?: string;
  readonly removeFile?: string;
}

const told = (name: string, { slot, keyFileRemoved }: KeyRemovedView): string => {
  const what = slot === null ? 'there is no such slot' : `the key of slot ${slot} is gone, from the header backups too`;
  return `${name}: ${what}${keyFileRemoved ? '\nthe key file opened nothing any more and was destroyed' : ''}`;
};

export const volumeKeyRemove = (parent: Command): void => {
  currentKeyOptions(parent.command('remove <name>'))
    .description('remove a key, by its slot or by the key itself')
    .option('--slot <number>', 'its slot, as `key list` shows it')
    .option('--remove-file <file>', 'the key to be removed is the bytes of this file; - is standard input')
    .addHelpText(
      'after',
      `
--passphrase-file, --ask or --recovery is a key that stays, as proof that somebody knows one; without them the key file is.

Examples:
  reelvault volume key remove main --slot 2
  reelvault volume key remove main --ask --slot 0
  reelvault volume key remove main --remove-file leaked`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      if ((options.slot === undefined) === (options.removeFile === undefined)) {
        throw new ReelError('invalid-argument', {
          expected: 'either --slot or --remove-file',
          got: options.slot === undefined ? 'neither' : 'both',
        });
      }
      const stays = await currentKey(options);
      const gone = options.removeFile === undefined ? undefined : await readSecret(options.removeFile);
      const { body, query } = joinSecrets(stays, gone);
      if (options.slot !== undefined) query.set('slot', options.slot);
      try {
        const removed = await clientOf(options).post<KeyRemovedView>(`${keysUrl(name, '/remove')}?${query}`, body);
        print(options, removed, told(name, removed));
      } finally {
        body?.fill(0);
      }
    });
};
