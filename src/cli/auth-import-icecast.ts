/** `reelvault auth import-icecast`: the rules of an Icecast configuration, as ours. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { importedYaml, importIcecast } from '../auth/icecast/import.ts';
import { ReelError } from '../errors.ts';
import type { GlobalOptions } from './global-options.ts';
import { print } from './output.ts';

const readXml = async (file: string): Promise<string> => {
  if (file === '-') return text(process.stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const got = (cause as NodeJS.ErrnoException).code ?? 'a file that cannot be read';
    throw new ReelError('invalid-argument', { expected: `an Icecast configuration in ${file}`, got, cause });
  }
};

export const authImportIcecast = (parent: Command): void => {
  parent
    .command('import-icecast')
    .description('print the rules of an Icecast 2.5 configuration as rules of this service')
    .argument('<file>', 'icecast.xml, or an <authentication>, <mount> or <listen-socket> of it; - is standard input')
    .addHelpText(
      'after',
      `
What was left out, and what has to be done by hand, stands as comments before the rules. Passwords are printed as they are.

Examples:
  reelvault auth import-icecast /etc/icecast2/icecast.xml > rules.yaml
  reelvault auth import-icecast icecast.xml --json`,
    )
    .action(async (file: string, _local: object, command: Command) => {
      const imported = importIcecast(await readXml(file));
      print(command.optsWithGlobals<GlobalOptions>(), imported, importedYaml(imported).trimEnd());
    });
};
