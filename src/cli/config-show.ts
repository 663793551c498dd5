/** `reelvault config show`. */
import type { Command } from 'commander';
import { problemText } from '../config/file/problem.ts';
import type { ConfigView } from '../http/config.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';

const valuesText = (values: unknown): string =>
  Object.entries(values as Record<string, Record<string, unknown>>)
    .map(([section, keys]) => {
      const lines = Object.entries(keys).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`);
      return `${section}:\n${lines.join('\n')}`;
    })
    .join('\n');

/** Comments, so that what is printed is a configuration file again. */
const notes = ({ file, overridden, waiting, problems, locked, trial }: ConfigView): string =>
  [
    `file: ${file}`,
    ...overridden.map(({ key, by }) => `${key} is set by ${by}: the file changes nothing there`),
    ...(waiting.length === 0 ? [] : [`from the next start on: ${waiting.join(', ')}`]),
    ...problems.map((problem) => `the file is wrong and what was before holds: ${problemText(problem)}`),
    ...(locked === null ? [] : [`locked by ${locked.file}${locked.reason === null ? '' : `: ${locked.reason}`}`]),
    ...(trial === null ? [] : [`on trial until ${trial.until}: reelvault config confirm ${trial.id}`]),
  ]
    .map((line) => `# ${line}`)
    .join('\n');

export const configShow = (parent: Command): void => {
  parent
    .command('show')
    .description('what holds now: each key with its value')
    .option('--text', 'the text of the file, with its comments')
    .addHelpText(
      'after',
      `
Secrets stand as (secret) there. What the environment sets, what waits for the next start and what is wrong with the file is told first.

Examples:
  reelvault config show
  reelvault config show --text
  reelvault config show --json | jq .values.tuning`,
    )
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly text?: true }>();
      const view = await clientOf(options).get<ConfigView>('/config');
      print(options, view, `${notes(view)}\n${options.text === true ? view.text.trimEnd() : valuesText(view.values)}`);
    });
};
