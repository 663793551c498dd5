/** `reelvault stream schedule`. */
import { type Command, InvalidArgumentError } from 'commander';
import { ReelError } from '../errors.ts';
import type { StreamView } from '../http/streams.ts';
import { days, type ScheduleWindow } from '../recorder/schedule.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { scheduleText, stateText, wantedText } from './stream-state.ts';

interface ScheduleOptions extends GlobalOptions {
  readonly window?: readonly ScheduleWindow[];
  readonly zone?: string;
  readonly none?: boolean;
}

const indexOf = (text: string): number => (days as readonly string[]).indexOf(text);

/** `mon-fri`, `sat,sun`, `fri-mon` (over the end of the week), `daily`. */
const daysOf = (text: string): ScheduleWindow['days'] => {
  if (text === 'daily') return [...days];
  return text.split(',').flatMap((part) => {
    const [first = '', last = first, more] = part.split('-');
    const [from, to] = [indexOf(first), indexOf(last)];
    if (from < 0 || to < 0 || more !== undefined)
      throw new InvalidArgumentError('days such as mon-fri, sat,sun or daily before the equals sign');
    return [...days, ...days].slice(from, to < from ? to + 8 : to + 1);
  });
};

/** `mon-fri=22:00-06:00`. */
export const windowOf = (text: string): ScheduleWindow => {
  const [, on = '', from = '', to = ''] = /^([a-z,-]+)=(\d\d:\d\d)-(\d\d:\d\d)$/.exec(text) ?? [];
  if (on === '') throw new InvalidArgumentError('a window such as mon-fri=22:00-06:00');
  return { days: daysOf(on), from, to };
};

const collect = (text: string, before: readonly ScheduleWindow[] = []): readonly ScheduleWindow[] => [
  ...before,
  windowOf(text),
];

export const streamSchedule = (parent: Command): void => {
  parent
    .command('schedule <name>')
    .description('record a stream in windows of the week only; its publisher stays')
    .option('--window <days=from-to>', 'such as mon-fri=22:00-06:00 or daily=00:00-24:00; may be repeated', collect)
    .option('--zone <name>', 'whose local time that is, such as Europe/Zurich (default: UTC)')
    .option('--none', 'no schedule any more: record it always')
    .addHelpText(
      'after',
      `
A window that ends at the time it begins at, or before, ends on the next day. What the clocks of the zone show counts: a window in the
hour that is left out in spring does not come, one in the hour that comes twice in autumn comes twice. An order (\`stream record\`) counts
before the schedule.

Examples:
  reelvault stream schedule cam1 --zone Europe/Zurich --window mon-fri=18:00-07:00 --window sat,sun=00:00-24:00
  reelvault stream schedule cam1 --none`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<ScheduleOptions>();
      const { window, zone = 'UTC' } = options;
      if ((window === undefined) === (options.none !== true))
        throw new ReelError('invalid-argument', {
          expected: '--window, or --none',
          got: window === undefined ? 'none of them' : 'both',
        });
      const url = `/streams/${encodeURIComponent(name)}/schedule`;
      const client = clientOf(options);
      const stream =
        window === undefined
          ? await client.delete<StreamView>(url)
          : await client.putJson<StreamView>(url, { timeZone: zone, windows: window });
      print(options, stream, `${stream.name}: ${scheduleText(stream)}; ${stateText(stream)}, ${wantedText(stream)}`);
    });
};
