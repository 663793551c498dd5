/** `reelvault stream delete`. */
import type { Command } from 'commander';
import type { DeletedStream } from '../http/streams.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';

const told = ({ volume, recordings }: DeletedStream): string => {
  if (recordings === 'none') return `the volume ${volume} has no recordings of it`;
  const where = recordings === 'kept' ? 'its recordings stay' : 'recordings it may have stay';
  return `${where} on the volume ${volume} and play at the same addresses while that is open`;
};

export const streamDelete = (parent: Command): void => {
  parent
    .command('delete <name>')
    .description('forget the settings of a stream; its recordings stay')
    .addHelpText(
      'after',
      `
Removes the stream from the list, with its volume, segment length and evidence setting; no recording is touched. A publisher of that name
makes the stream anew, with the default settings. Refused while a publisher is sending.

Example:
  reelvault stream delete cam1`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const deleted = await clientOf(options).delete<DeletedStream>(`/streams/${encodeURIComponent(name)}`);
      print(options, deleted, `${deleted.name}: settings forgotten; ${told(deleted)}`);
    });
};
