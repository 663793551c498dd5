/** `reelvault volume key recovery`. */
import type { Command } from 'commander';
import { type CurrentKeyOptions, currentKey, currentKeyOptions, joinSecrets } from './current-key.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { keysUrl } from './volume-url.ts';

const newline = Buffer.from('\n');

export const volumeKeyRecovery = (parent: Command): void => {
  currentKeyOptions(parent.command('recovery <name>'))
    .description('make a recovery key and print it, once')
    .addHelpText(
      'after',
      `
It takes the place of the former recovery key. The last character of each group checks the group, so that a typo is named when it
is used: \`reelvault volume open main --recovery\`. Printed as plain text, with --json too.

Examples:
  reelvault volume key recovery main
  reelvault volume key recovery main --ask | lp`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & CurrentKeyOptions>();
      const { body, query } = joinSecrets(await currentKey(options), undefined);
      const text = await clientOf(options)
        .postForBytes(`${keysUrl(name, '/recovery')}?${query}`, body)
        .finally(() => body?.fill(0));
      await new Promise<void>((resolve, reject) => {
        process.stdout.write(Buffer.concat([text, newline]), (error) => (error ? reject(error) : resolve()));
      }).finally(() => text.fill(0));
      process.stderr.write('Write it down and keep it away from this machine: it is not shown again.\n');
    });
};
