/** `reelvault config history`, `diff` and `rollback`. */
import { type Command, InvalidArgumentError } from 'commander';
import type { ConfigSaved, ConfigVersion } from '../http/config.ts';
import { savedText } from './config-text.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print, table } from './output.ts';

const version = (text: string): number => {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('the number of a version, as `reelvault config history` lists it');
};

const history = (parent: Command): void => {
  parent
    .command('history')
    .description('versions of the configuration, newest first')
    .addHelpText('after', '\nExample:\n  reelvault config history')
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const answer = await clientOf(options).get<{ versions: ConfigVersion[] }>('/config/history');
      const rows = answer.versions.map(({ id, time, how, by }) => [String(id), time, how, by]);
      print(options, answer, table(['NUMBER', 'TIME', 'HOW', 'BY'], rows));
    });
};

const diff = (parent: Command): void => {
  parent
    .command('diff')
    .argument('<version>', 'from this one', version)
    .argument('[other]', 'to this one; without it to what holds', version)
    .description('what differs between a version and another one, or what holds')
    .addHelpText(
      'after',
      '\nSecrets stand as (secret 1): the same number is the same secret.\n\nExamples:\n  reelvault config diff 3\n  reelvault config diff 3 4',
    )
    .action(async (from: number, to: number | undefined, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const query = to === undefined ? '' : `?to=${to}`;
      const answer = await clientOf(options).get<{ diff: string }>(`/config/history/${from}/diff${query}`);
      print(options, answer, answer.diff === '' ? 'nothing differs' : answer.diff);
    });
};

const rollback = (parent: Command): void => {
  parent
    .command('rollback')
    .argument('<version>', 'that is to hold again', version)
    .description('put a version in the place of what holds')
    .addHelpText('after', '\nExample:\n  reelvault config rollback 3')
    .action(async (id: number, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const saved = await clientOf(options).postJson<ConfigSaved>('/config/rollback', { id });
      print(options, saved, savedText(saved));
    });
};

export const configHistory = (parent: Command): void => {
  for (const verb of [history, diff, rollback]) verb(parent);
};
