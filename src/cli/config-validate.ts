/** `reelvault config validate`: needs no running service, so that a file can be checked before it is put in its place. */
import type { Command } from 'commander';
import { checkConfig } from '../config/file/check.ts';
import { problemText } from '../config/file/problem.ts';
import { readConfigFile } from '../config/file/read.ts';
import { configFileOf, readSettings } from '../config/load.ts';
import type { GlobalOptions } from './global-options.ts';
import { print } from './output.ts';

export const configValidate = (parent: Command): void => {
  parent
    .command('validate [file]')
    .description('whether the service could use a file; exit code 2 where it could not')
    .addHelpText(
      'after',
      `
Without a file: that of the settings. The service need not run; the environment must be the one that it is started with.

Examples:
  reelvault config validate
  reelvault config validate new.yaml --json`,
    )
    .action(async (named: string | undefined, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const { settings: border, given } = readSettings(process.env);
      const file = named ?? configFileOf(border);
      const { text, problems: unreadable } = await readConfigFile(file);
      const problems = text === undefined ? unreadable : checkConfig(text, { border, given }).problems;
      const valid = problems.length === 0;
      const words = valid
        ? `${file}: can be used`
        : problems.map((problem) => `${file}:${problemText(problem)}`).join('\n');
      print(options, { file, valid, problems }, words);
      if (!valid) process.exitCode = 2;
    });
};
