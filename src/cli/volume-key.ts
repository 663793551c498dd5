/** `reelvault volume key`: the group of the verbs about keys. */
import type { Command } from 'commander';
import { volumeKeyAdd } from './volume-key-add.ts';
import { volumeKeyChange } from './volume-key-change.ts';
import { volumeKeyList } from './volume-key-list.ts';
import { volumeKeyRecovery } from './volume-key-recovery.ts';
import { volumeKeyRemove } from './volume-key-remove.ts';
import { volumeKeyRotate } from './volume-key-rotate.ts';

export const volumeKey = (parent: Command): void => {
  const group = parent
    .command('key')
    .description('list, add, change, remove and rotate the keys of a volume')
    .addHelpText('after', '\nExamples:\n  reelvault volume key list main\n  reelvault volume key change main --ask');
  const verbs = [volumeKeyList, volumeKeyAdd, volumeKeyChange, volumeKeyRemove, volumeKeyRecovery, volumeKeyRotate];
  for (const verb of verbs) verb(group);
};
