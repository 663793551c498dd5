/** `reelvault stream list`. */
import type { Command } from 'commander';
import type { StreamView } from '../http/streams.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print, table } from './output.ts';
import { stateText, untilText } from './stream-state.ts';

const row = (stream: StreamView): string[] => [
  stream.name,
  stateText(stream),
  untilText(stream),
  stream.volume,
  `${stream.segmentMs} ms`,
  stream.evidence ? 'yes' : 'no',
  stream.failure?.code ?? '-',
];

export const streamList = (parent: Command): void => {
  parent
    .command('list')
    .description('all streams, whether they are being recorded, and their last error')
    .addHelpText('after', '\nExample:\n  reelvault stream list --json')
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const answer = await clientOf(options).get<{ streams: StreamView[] }>('/streams');
      print(
        options,
        answer,
        table(['NAME', 'STATE', 'UNTIL', 'VOLUME', 'SEGMENT', 'EVIDENCE', 'LAST ERROR'], answer.streams.map(row)),
      );
    });
};
