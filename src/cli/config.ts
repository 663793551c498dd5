/** `reelvault config …`: the configuration of the running service, and a look at a file without one. */
import type { Command } from 'commander';
import { configChange } from './config-change.ts';
import { configEdit } from './config-edit.ts';
import { configHistory } from './config-history.ts';
import { configShow } from './config-show.ts';
import { configTrial } from './config-trial.ts';
import { configValidate } from './config-validate.ts';

export const config = (parent: Command): void => {
  const group = parent
    .command('config')
    .description('look at the configuration, change it, and take changes back')
    .addHelpText(
      'after',
      `
Examples:
  reelvault config show
  reelvault config set tuning.log_level=debug
  reelvault config history
  reelvault config rollback 3`,
    );
  for (const verbs of [configShow, configValidate, configChange, configEdit, configHistory, configTrial]) verbs(group);
};
