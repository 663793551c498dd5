/** `reelvault volume lease add|list|remove`. */
import { type Command, InvalidArgumentError } from 'commander';
import { ReelError } from '../errors.ts';
import { run } from '../exec/run.ts';
import type { LeaseView } from '../http/volume-leases.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print, table } from './output.ts';

interface AddOptions extends GlobalOptions {
  readonly path?: string;
  readonly readOnly?: boolean;
  readonly user?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly once?: boolean;
}

const accountId = (text: string): number => {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a number');
};

/** Of an account of this machine, where the consumer is named; `--uid` and `--gid` win over it. */
const account = async ({ user, uid, gid }: AddOptions): Promise<{ uid: number; gid: number }> => {
  if (uid !== undefined && gid !== undefined) return { uid, gid };
  if (user === undefined) {
    throw new ReelError('invalid-argument', { expected: '--user, or --uid and --gid', got: 'not both numbers' });
  }
  const { stdout, exitCode } = await run('getent', ['passwd', '--', user], { timeoutMs: 10_000, okCodes: [0, 2] });
  const [, , foundUid, foundGid] = stdout.toString().split(':');
  if (exitCode !== 0) throw new ReelError('not-found', { expected: `an account ${user}`, got: 'none' });
  return { uid: uid ?? Number(foundUid), gid: gid ?? Number(foundGid) };
};

const urlOf = (volume: string): string => `/volumes/${encodeURIComponent(volume)}/leases`;

const row = (lease: LeaseView): string[] => [
  lease.consumer,
  lease.state,
  lease.path,
  lease.readOnly ? 'read-only' : 'writable',
  lease.uid === null ? '(no record)' : `${lease.uid}:${lease.gid}`,
  lease.persistent ? 'yes' : 'no',
  lease.mountPoint ?? '',
];

const add = (parent: Command): void => {
  parent
    .command('add <volume> <consumer>')
    .description('mount a directory of an open volume for another service of this machine')
    .option('--user <name>', 'the account that the consumer runs as')
    .option('--uid <number>', 'its user id', accountId)
    .option('--gid <number>', 'its group id', accountId)
    .option('--path <path>', 'inside the volume (default: consumers/<consumer>, with --read-only: dvr)')
    .option('--read-only', 'for servers of recordings')
    .option('--once', 'until the volume is locked; without it, it is mounted again whenever the volume is opened')
    .addHelpText(
      'after',
      `
Examples:
  reelvault volume lease add main nginx --user www-data --read-only     serve the recordings
  reelvault volume lease add main rtmp --user www-data                  record into a directory of its own`,
    )
    .action(async (volume: string, consumer: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<AddOptions>();
      const body = {
        consumer,
        ...(await account(options)),
        readOnly: options.readOnly === true,
        persistent: options.once !== true,
        ...(options.path === undefined ? {} : { path: options.path }),
      };
      const lease = await clientOf(options).postJson<LeaseView>(urlOf(volume), body);
      print(options, lease, lease.mountPoint ?? lease.state);
    });
};

const list = (parent: Command): void => {
  parent
    .command('list <volume>')
    .description('the leases of a volume')
    .addHelpText('after', '\nExample:\n  reelvault volume lease list main --json')
    .action(async (volume: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const answer = await clientOf(options).get<{ leases: LeaseView[] }>(urlOf(volume));
      const head = ['CONSUMER', 'STATE', 'PATH', 'ACCESS', 'ACCOUNT', 'PERSISTENT', 'MOUNT POINT'];
      print(options, answer, table(head, answer.leases.map(row)));
    });
};

const remove = (parent: Command): void => {
  parent
    .command('remove <volume> <consumer>')
    .description('end a lease; refused while the consumer uses it')
    .addHelpText(
      'after',
      '\nWhere there is none, it says so and ends with 0.\n\nExample:\n  reelvault volume lease remove main nginx',
    )
    .action(async (volume: string, consumer: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const url = `${urlOf(volume)}/${encodeURIComponent(consumer)}`;
      const ended = await clientOf(options).delete<{ readonly removed: boolean }>(url);
      print(options, ended, ended.removed ? `${consumer}: lease ended` : `${consumer}: there is no such lease`);
    });
};

export const volumeLease = (parent: Command): void => {
  const lease = parent
    .command('lease')
    .description('mounts of a volume for streaming servers')
    .addHelpText(
      'after',
      '\nExamples:\n  reelvault volume lease add main nginx --user www-data --read-only\n  reelvault volume lease list main',
    );
  for (const verb of [add, list, remove]) verb(lease);
};
