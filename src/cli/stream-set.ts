/** `reelvault stream set`. */
import type { Command } from 'commander';
import { ReelError } from '../errors.ts';
import type { StreamChange, StreamView } from '../http/streams.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { duration } from './times.ts';

interface SetOptions extends GlobalOptions {
  readonly volume?: string;
  readonly segment?: number;
  readonly evidence?: boolean;
  readonly preRecord?: number;
}

export const streamSet = (parent: Command): void => {
  parent
    .command('set <name>')
    .description('make a stream, or change its settings')
    .option('--volume <name>', 'the volume it is recorded into')
    .option('--segment <time>', 'wanted length of a segment, such as 4s', duration)
    .option('--evidence', 'keep a SHA-256 of each segment, and sign reels')
    .option('--no-evidence', 'do not')
    .option(
      '--pre-record <time>',
      'keep so much in memory while it is not recorded, such as 30s (0s: nothing)',
      duration,
    )
    .addHelpText(
      'after',
      `
What is left out stays as it is. --pre-record counts at once, the rest from the next recording on. A recording that begins while the stream
is published begins with what is kept, at a keyframe; at most 300s.

Examples:
  reelvault stream set cam1 --volume main --evidence
  reelvault stream set cam1 --pre-record 30s`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<SetOptions>();
      const { volume, segment, evidence, preRecord } = options;
      const change: StreamChange = {
        ...(volume === undefined ? {} : { volume }),
        ...(segment === undefined ? {} : { segmentMs: segment * 1000 }),
        ...(evidence === undefined ? {} : { evidence }),
        ...(preRecord === undefined ? {} : { preRecordSeconds: preRecord }),
      };
      if (Object.keys(change).length === 0)
        throw new ReelError('invalid-argument', { expected: 'something to set', got: 'no option' });
      const stream = await clientOf(options).putJson<StreamView>(`/streams/${encodeURIComponent(name)}`, change);
      const { segmentMs, preRecordSeconds } = stream;
      print(
        options,
        stream,
        `${stream.name}: volume ${stream.volume}, segments of ${segmentMs} ms, ${stream.evidence ? 'with' : 'without'} evidence, pre-record ${preRecordSeconds} s`,
      );
    });
};
