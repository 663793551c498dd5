/** `reelvault stream record`. */
import type { Command } from 'commander';
import { ReelError } from '../errors.ts';
import type { StreamView } from '../http/streams.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { stateText, wantedText } from './stream-state.ts';
import { duration, instant } from './times.ts';

interface RecordOptions extends GlobalOptions {
  readonly on?: boolean;
  readonly off?: boolean;
  readonly schedule?: boolean;
  readonly for?: number;
  readonly until?: number;
  readonly reason?: string;
}

const modeOf = ({ on, off, schedule }: RecordOptions): string => {
  const given = Object.entries({ on, off, schedule }).filter(([, value]) => value === true);
  const [only, another] = given;
  if (only !== undefined && another === undefined) return only[0];
  throw new ReelError('invalid-argument', {
    expected: 'one of --on, --off and --schedule',
    got: given.length === 0 ? 'none of them' : given.map(([name]) => `--${name}`).join(' '),
  });
};

export const streamRecord = (parent: Command): void => {
  parent
    .command('record <name>')
    .description('record a stream, or do not; its publisher stays')
    .option('--on', 'record it')
    .option('--off', 'do not: what is published meanwhile is read, counted, and thrown away')
    .option('--schedule', 'take the order back')
    .option('--for <time>', 'the order holds for so long, such as 90m, 12h or 2d', duration)
    .option('--until <time>', 'the order holds until then, such as 2026-11-21T14:00:00Z, or Unix seconds', instant)
    .option('--reason <text>', 'why; `stream show` tells it to whoever asks')
    .addHelpText(
      'after',
      `
The order is on disk when this returns, and holds over restarts. Without --for and --until it holds until another one. The time that is
not recorded is a gap of the archive that says why; recordings that are there already stay, and retention goes on.

Examples:
  reelvault stream record cam1 --off --for 2h --reason 'works in the hall'
  reelvault stream record cam1 --on`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<RecordOptions>();
      const query = new URLSearchParams({ mode: modeOf(options) });
      if (options.reason !== undefined) query.set('reason', options.reason);
      if (options.until !== undefined && options.for !== undefined)
        throw new ReelError('invalid-argument', { expected: '--for or --until', got: 'both' });
      if (options.until !== undefined) query.set('until', String(Math.floor(options.until * 1000)));
      if (options.for !== undefined) query.set('until', String(Date.now() + options.for * 1000));
      const stream = await clientOf(options).put<StreamView>(`/streams/${encodeURIComponent(name)}/recording?${query}`);
      print(options, stream, `${stream.name}: ${stateText(stream)}; ${wantedText(stream)}`);
    });
};
