/** `reelvault volume destroy`. */
import type { Command } from 'commander';
import type { DestroyReport } from '../volume/destroy/report.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';

/** How many, then which: a bare number would read as a count. */
const slotsErased = (slots: readonly number[]): string =>
  slots.length === 0 ? 'none' : `${slots.length} (slot${slots.length === 1 ? '' : 's'} ${slots.join(', ')})`;

export const destroyText = (report: DestroyReport): string =>
  [
    `${report.name}: destroyed${report.resumed ? ' (finished what had begun)' : ''}`,
    `  keyslots erased: ${slotsErased(report.keyslots)}`,
    `  header and key material overwritten: ${report.headerBytes} bytes`,
    `  header backups shredded: ${report.backups.files} files, ${report.backups.bytes} bytes`,
    `  key file shredded: ${report.keyFile === null ? 'none' : `${report.keyFile.file}, ${report.keyFile.bytes} bytes`}`,
    `  container removed: ${report.containerBytes === 0 ? 'none' : `${report.container}, ${report.containerBytes} bytes`}`,
    ...report.notes.map((note) => `  note: ${note}`),
    'Not guaranteed:',
    ...report.notGuaranteed.map((words) => `  ${words}`),
  ].join('\n');

export const volumeDestroy = (parent: Command): void => {
  parent
    .command('destroy <name>')
    .description('erase the keys of a locked volume for good and remove it')
    .requiredOption('--yes <name>', 'the name of the volume again')
    .addHelpText(
      'after',
      `
Erases keyslots, header, header backups and key file, then removes the container. There is no way back. An interrupted destruction is
finished by the same command, or by the next start of the service. The report says what was erased and what cannot be promised.

Example:
  reelvault volume lock old && reelvault volume destroy old --yes old`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly yes: string }>();
      const url = `/volumes/${encodeURIComponent(name)}?confirm=${encodeURIComponent(options.yes)}`;
      const report = await clientOf(options).delete<DestroyReport>(url);
      print(options, report, destroyText(report));
    });
};
