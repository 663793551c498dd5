/** `reelvault volume create`. */
import { type Command, Option } from 'commander';
import { formatBytes, parseSize } from '../config/size.ts';
import { ReelError } from '../errors.ts';
import { run } from '../exec/run.ts';
import type { VolumeView } from '../http/volumes.ts';
import { performanceFlags } from '../volume/engine/performance.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { secretFrom } from './secret.ts';
import { showProgress } from './volume-progress.ts';

interface Options extends GlobalOptions {
  readonly locked?: boolean;
  readonly passphraseFile?: string;
  readonly ask?: boolean;
  readonly owner?: string;
  readonly group?: string;
  /** Those that go into the query as they are. */
  readonly [plain: string]: unknown;
}

/** In the order of the help, by commander's name, with the name in the query. */
const asTheyAre = {
  ...{
    size: 'size',
    device: 'device',
    overwriteSignature: 'overwriteSignature',
    type: 'type',
    engine: 'engine',
    fs: 'filesystem',
    label: 'label',
    mode: 'mode',
  },
  ...{ cipher: 'cipher', keyBits: 'keyBits', sectorSize: 'sectorSize', sparse: 'sparse', discard: 'discard' },
  performance: 'performance',
} as const;

/** A number as it stands, a name by the accounts of this machine, which is the service's too. */
const accountNumber = async (kind: 'passwd' | 'group', text: string): Promise<string> => {
  if (/^\d+$/.test(text)) return text;
  const { stdout, exitCode } = await run('getent', [kind, text], { timeoutMs: 10_000, okCodes: [0, 1, 2] });
  const number = stdout.toString().split(':')[2];
  if (exitCode === 0 && number !== undefined) return number.trim();
  const what = kind === 'passwd' ? 'an account' : 'a group';
  throw new ReelError('invalid-argument', { expected: `${what} of this machine, or its number`, got: text });
};

const queryOf = async (options: Options): Promise<URLSearchParams> => {
  const query = new URLSearchParams();
  // here too, since this names what was typed
  if (options.size !== undefined) parseSize(String(options.size));
  else if (options.device === undefined) {
    throw new ReelError('invalid-argument', { expected: '--size, or --device', got: 'neither' });
  }
  for (const [option, key] of Object.entries(asTheyAre)) {
    const value = options[option];
    if (value !== undefined) query.set(key, String(value));
  }
  if (options.owner !== undefined) query.set('owner', await accountNumber('passwd', options.owner));
  if (options.group !== undefined) query.set('group', await accountNumber('group', options.group));
  if (options.locked === true) query.set('open', 'false');
  return query;
};

const describe = (volume: VolumeView): string => {
  const files = volume.capacity === null ? '' : ` (${formatBytes(volume.capacity)} for files)`;
  const key = volume.keyFile === null ? '' : `\nkey file: ${volume.keyFile}: keep a copy in a safe place`;
  const kind = `${volume.filesystem ?? '?'}, ${volume.type}, ${volume.engine}`;
  return `${volume.name}: ${volume.state}, ${formatBytes(volume.netSize)}${files}, ${kind}\ncontainer: ${volume.container}${key}`;
};

export const volumeCreate = (parent: Command): void => {
  parent
    .command('create <name>')
    .description('make a LUKS container with a filesystem, and open it')
    .option('--size <size>', 'net size, such as 500M, 10G, 1.5T (powers of 1024); the LUKS header comes on top')
    .option('--device <path>', 'in place of --size: make this block device, all of it, the container')
    .option(
      '--overwrite-signature <types>',
      'what lies on the device may be lost: exactly these types, such as gpt,PMBR',
    )
    .option('--type <type>', 'luks2 or luks1', 'luks2')
    .option('--engine <engine>', 'kernel or userspace (default: the best one that works here)')
    .option('--fs <filesystem>', 'ext4 or xfs (default: ext4)')
    .option('--label <label>', 'label of filesystem and LUKS2 header')
    .option('--owner <account>', 'owner of the mounted root directory, name or number (default: root)')
    .option('--group <group>', 'group of the mounted root directory')
    .option(
      '--mode <mode>',
      'mode of the mounted root directory, octal, such as 0770, or 2770 for a shared group (default: 0755)',
    )
    .option('--sparse', 'allocate blocks only as they are written: the disk can fill up below the volume')
    .option('--cipher <cipher>', 'default aes-xts-plain64; others with the kernel engine only')
    .option('--key-bits <bits>', '512 (AES-256, default) or 256 (AES-128)')
    .option('--sector-size <bytes>', 'of the encrypted sectors: 512, 1024, 2048 or 4096 (default for luks2)')
    .option('--discard', 'give freed blocks back; kernel engine, with --sparse or --device only')
    .addOption(
      new Option('--performance <flags>', `dm-crypt switches, kernel engine only: ${performanceFlags.join(',')}`),
    )
    .option('--locked', 'leave it locked')
    .option(
      '--passphrase-file <file>',
      'protect it with the bytes of this file, all of them, a newline too; - is standard input without its last newline',
    )
    .option('--ask', 'protect it with a passphrase that is asked for')
    .addHelpText(
      'after',
      `
Without --passphrase-file and --ask a random key file is made beside the containers.

A device must be one of REELVAULT_DEVICES of the service. One that is in use is refused; one with data on it, too, unless the types of what
was found there are said with --overwrite-signature.

Examples:
  reelvault volume create main --size 500G
  reelvault volume create main --size 1.5T --fs xfs --ask
  reelvault volume create www --size 200G --owner www-data --group www-data --mode 0750
  reelvault volume create dvr --device /dev/disk/by-id/ata-ST8000-part1
  reelvault volume create dvr --device /dev/vg0/dvr --overwrite-signature ext4
  systemd-ask-password -n | reelvault volume create main --size 500G --passphrase-file -`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const query = await queryOf(options);
      const secret = await secretFrom(options);
      const client = clientOf(options);
      const url = `/volumes/${encodeURIComponent(name)}`;
      try {
        if (options.sparse === true) {
          process.stderr.write(
            'reelvault: a sparse volume loses writes when the disk below it is full: watch its free space\n',
          );
        }
        const volume = await showProgress(client, url, () => client.put<VolumeView>(`${url}?${query}`, secret));
        print(options, volume, describe(volume));
      } finally {
        secret?.fill(0);
      }
    });
};
