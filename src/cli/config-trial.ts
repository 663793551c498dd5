/** `reelvault config confirm` and `cancel`: what becomes of a change on trial. */
import type { Command } from 'commander';
import { ReelError } from '../errors.ts';
import type { ConfigSaved, ConfigView } from '../http/config.ts';
import type { AdminClient } from './client.ts';
import { savedText } from './config-text.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';

/** The one that is named, or the one that there is. */
const trialOf = async (client: AdminClient, named: string | undefined): Promise<string> => {
  const id = named ?? (await client.get<ConfigView>('/config')).trial?.id;
  if (id !== undefined) return id;
  throw new ReelError('not-found', { expected: 'a change of the configuration on trial', got: 'none' });
};

const confirm = (parent: Command): void => {
  parent
    .command('confirm [trial]')
    .description('keep and save the change that is on trial')
    .addHelpText('after', '\nExample:\n  reelvault config confirm')
    .action(async (named: string | undefined, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const client = clientOf(options);
      const saved = await client.postJson<ConfigSaved>('/config/confirm', { id: await trialOf(client, named) });
      print(options, saved, `${savedText(saved)}\nsaved`);
    });
};

const cancel = (parent: Command): void => {
  parent
    .command('cancel [trial]')
    .description('take back at once the change that is on trial')
    .addHelpText('after', '\nExample:\n  reelvault config cancel')
    .action(async (named: string | undefined, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const client = clientOf(options);
      const id = await trialOf(client, named);
      await client.postJson('/config/cancel', { id });
      print(options, { cancelled: id }, 'what was before holds again');
    });
};

export const configTrial = (parent: Command): void => {
  for (const verb of [confirm, cancel]) verb(parent);
};
