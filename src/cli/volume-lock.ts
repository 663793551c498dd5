/** `reelvault volume lock`. */
import { type Command, InvalidArgumentError } from 'commander';
import type { LockedView } from '../http/volume-lock.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { afterLock } from './next-steps.ts';
import { print } from './output.ts';

interface LockOptions extends GlobalOptions {
  readonly drain?: boolean;
  readonly slam?: boolean;
  readonly deadline?: number;
}

/** `10s`, `2m`, `30`: whole seconds. */
const seconds = (text: string): number => {
  const [, number, unit] = /^(\d{1,4})(s|m)?$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError('a time such as 10s or 2m');
  return Number(number) * (unit === 'm' ? 60 : 1);
};

const levelOf = ({ drain, slam }: LockOptions): string => {
  if (drain === true && slam === true) throw new InvalidArgumentError('--drain or --slam, not both');
  return slam === true ? 'slam' : drain === true ? 'drain' : 'lock';
};

/** What was locked, and what that ended. */
export const lockedText = ({ name, state, recordings, acts = [] }: LockedView): string =>
  [`${name}: ${state}`, ...recordings.map((stream) => `  ended the recording of ${stream}`), ...acts.map(line)].join(
    '\n',
  );

const line = ({ act, target, pid, command }: NonNullable<LockedView['acts']>[number]): string =>
  `  ${act} ${pid === null ? target : `${pid} ${command} (${target})`}`;

export const volumeLock = (parent: Command): void => {
  parent
    .command('lock <name>')
    .description('unmount and close a volume')
    .option('--drain', 'first end the recordings of this volume, and take its leases away when nobody uses them')
    .option('--slam', 'end every process that uses the volume, and whatever else it takes; says what it did')
    .option('--deadline <time>', 'how long consumers of leases (--drain) or all processes (--slam) get: 10s', seconds)
    .addHelpText(
      'after',
      `
Refused while something uses the volume; the answer says who. --slam sends SIGTERM to all of them, SIGKILL after the deadline, cuts
off a block plane that hangs, and unmounts lazily where nothing else helps: what those processes had not written is lost.

Examples:
  reelvault volume holders main
  reelvault volume lock main
  reelvault volume lock main --drain --deadline 1m
  reelvault volume lock main --slam --deadline 10s`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<LockOptions>();
      const deadline = options.deadline === undefined ? '' : `&deadline=${options.deadline}`;
      const level = levelOf(options);
      const url = `/volumes/${encodeURIComponent(name)}/lock?level=${level}${deadline}`;
      const volume = await clientOf(options)
        .post<LockedView>(url)
        .catch((error: unknown) => {
          throw afterLock(error, name, level);
        });
      print(options, volume, lockedText(volume));
    });
};
