/** `reelvault volume header`: backups of LUKS headers, damage, restore. */
import type { Command } from 'commander';
import { formatBytes } from '../config/size.ts';
import { errorTable } from '../errors.ts';
import type { HeaderBackups, HeaderResults } from '../helper/protocol/header.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print, table } from './output.ts';

const urlOf = (name: string, rest: string): string => `/volumes/${encodeURIComponent(name)}/header/${rest}`;

export const headerListText = ({ backups }: Pick<HeaderBackups, 'backups'>): string =>
  backups.length === 0
    ? 'no header backups'
    : table(
        ['NAME', 'KIND', 'MADE', 'SIZE', 'PLACES'],
        backups.map(({ name, kind, foreign, at, bytes, files }) => [
          name,
          foreign === null ? kind : `foreign (${foreign})`,
          at,
          formatBytes(bytes),
          String(files.length),
        ]),
      );

const checkText = ({ ok, problems, size }: HeaderResults['header-check']): string =>
  ok
    ? `whole: ${formatBytes(size)}`
    : problems.map(({ severity, text, nextStep }) => `${severity}: ${text}\n  ${nextStep}`).join('\n');

const compareText = ({ backupName, same, differences }: HeaderResults['header-compare']): string =>
  same ? `${backupName}: the same` : [`${backupName}:`, ...differences.map((words) => `  ${words}`)].join('\n');

/** Differences are an answer; a header that cannot be read leaves nothing to compare, and is `luks-damaged` or `not-luks` everywhere else. */
export const compareExit = ({ container, backup }: Pick<HeaderResults['header-compare'], 'container' | 'backup'>) =>
  container.type === null || backup.type === null ? errorTable['luks-damaged'].exit : 0;

const slotsText = (what: string, slots: readonly number[]): string[] =>
  slots.length === 0 ? [] : [`  ${what}: keyslot ${slots.join(', ')}`];

const restoreText = ({ restored, replaced, keyslots }: HeaderResults['header-restore']): string =>
  [
    `restored ${restored}`,
    `  what was there before: ${replaced}`,
    ...slotsText('brought back', keyslots.broughtBack),
    ...slotsText('taken away', keyslots.takenAway),
  ].join('\n');

const backup = (parent: Command): void => {
  parent
    .command('backup <name>')
    .description('back the header up into both places; shreds those that open with removed keys')
    .addHelpText('after', '\nWorks on an open volume, too.\n\nExample:\n  reelvault volume header backup main')
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const made = await clientOf(options).post<HeaderResults['header-backup']>(urlOf(name, 'backups'));
      print(options, made, made.backups[0]?.files.join('\n') ?? '');
    });
};

const list = (parent: Command): void => {
  parent
    .command('list <name>')
    .description('the header backups of a volume, newest first')
    .addHelpText('after', '\nExample:\n  reelvault volume header list main --json')
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const found = await clientOf(options).get<HeaderBackups>(urlOf(name, 'backups'));
      print(options, found, headerListText(found));
    });
};

const compare = (parent: Command): void => {
  parent
    .command('compare <name> [backup]')
    .description('what differs between the header and a backup (default: the newest)')
    .addHelpText(
      'after',
      '\nEnds with 0 for the same and for differences, with 6 where the header of the container cannot be read.\n\nExample:\n  reelvault volume header compare main',
    )
    .action(async (name: string, wanted: string | undefined, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const query = wanted === undefined ? '' : `?backup=${encodeURIComponent(wanted)}`;
      const found = await clientOf(options).get<HeaderResults['header-compare']>(urlOf(name, `compare${query}`));
      print(options, found, compareText(found));
      process.exitCode = compareExit(found);
    });
};

const check = (parent: Command): void => {
  parent
    .command('check <name>')
    .description('look for damage of the header, and for backups; changes nothing')
    .addHelpText(
      'after',
      `
Ends with 6 where something keeps the volume from opening, 0 where it opens, warnings or not.

Example:
  reelvault volume header check main`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const found = await clientOf(options).get<HeaderResults['header-check']>(urlOf(name, 'check'));
      print(options, found, checkText(found));
      if (found.problems.some(({ severity }) => severity === 'blocks')) process.exitCode = 6;
    });
};

const restore = (parent: Command): void => {
  parent
    .command('restore <name> [backup]')
    .description('put a backup back (default: the newest) into a locked volume')
    .option('--force', 'also one with other keys than the container has')
    .addHelpText(
      'after',
      `
Refused for a backup of another container. What lies in the container now is kept as a backup of the kind "replaced". An interrupted
restore is taken up by the same command.

A backup opens with the keys of its time: --force brings keys back that were removed since.

Examples:
  reelvault volume header restore main
  reelvault volume header restore main 6f1c….20261122T101500000Z.img --force`,
    )
    .action(async (name: string, wanted: string | undefined, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly force?: boolean }>();
      const query = wanted === undefined ? '' : `&backup=${encodeURIComponent(wanted)}`;
      const url = urlOf(name, `restore?force=${options.force === true}${query}`);
      const done = await clientOf(options).post<HeaderResults['header-restore']>(url);
      print(options, done, restoreText(done));
    });
};

const repair = (parent: Command): void => {
  parent
    .command('repair <name>')
    .description('write a damaged copy of the header anew from the whole one')
    .addHelpText('after', '\nWorks on an open volume, too.\n\nExample:\n  reelvault volume header repair main')
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const done = await clientOf(options).post<HeaderResults['header-repair']>(urlOf(name, 'repair'));
      print(options, done, done.repaired ? 'repaired: both copies are whole' : 'nothing to repair');
    });
};

export const volumeHeader = (parent: Command): void => {
  const header = parent
    .command('header')
    .description('back up, check, compare, restore and repair LUKS headers')
    .addHelpText('after', '\nExamples:\n  reelvault volume header check main\n  reelvault volume header restore main');
  for (const verb of [backup, list, compare, check, restore, repair]) verb(header);
};
