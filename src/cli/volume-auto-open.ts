/** `reelvault volume auto-open`. */
import type { Command } from 'commander';
import { ReelError } from '../errors.ts';
import type { AutoOpenView } from '../http/volume-unlock.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { volumeUrl } from './volume-url.ts';

const inWords = (name: string, { autoOpen, held, last, retryAt }: AutoOpenView): string => {
  const lines = [`${name}: ${autoOpen ? 'opens without an admin' : 'opens only when somebody opens it'}`];
  if (autoOpen && held) lines.push('locked by hand: left alone until it is opened, or the service starts again');
  if (last !== null) {
    const { at, openedBy, attempts, error } = last;
    lines.push(`${at}: ${openedBy === null ? (error?.message ?? 'not opened') : `opened by ${openedBy.way}`}`);
    for (const { way, slot, reason } of attempts) lines.push(`  ${way}${slot === null ? '' : ` ${slot}`}: ${reason}`);
  }
  if (retryAt !== null) lines.push(`tried again at ${retryAt}`);
  return lines.join('\n');
};

export const volumeAutoOpen = (parent: Command): void => {
  parent
    .command('auto-open <name> <on|off|status>')
    .description('open a volume without an admin when the service starts')
    .addHelpText(
      'after',
      `
Tried in this order: the key file; the systemd credential reelvault-<name>.key; what the keys are bound to (volume bind).
A volume that cannot be opened is tried again until it can, or until it is locked by hand.

Examples:
  reelvault volume auto-open main on
  reelvault volume auto-open main status --json`,
    )
    .action(async (name: string, what: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const client = clientOf(options);
      const url = volumeUrl(name, '/auto-open');
      if (what !== 'on' && what !== 'off' && what !== 'status') {
        throw new ReelError('invalid-argument', { expected: 'on, off or status', got: what });
      }
      const view =
        what === 'status'
          ? await client.get<AutoOpenView>(url)
          : await client.put<AutoOpenView>(`${url}?enabled=${what === 'on'}`);
      print(options, view, inWords(name, view));
    });
};
