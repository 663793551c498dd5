/** `reelvault volume create`. */
import type { Command } from 'commander';
import { ReelError } from '../errors.ts';
import type { VolumeView } from '../http/volumes.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { formatBytes, print } from './output.ts';
import { secretFrom } from './secret.ts';

interface Options extends GlobalOptions {
  readonly size: string;
  readonly type: string;
  readonly engine?: string;
  readonly locked?: boolean;
  readonly passphraseFile?: string;
  readonly ask?: boolean;
}

const factors: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** `10G`, `10GiB`, `1048576`: units are powers of 1024. */
export const parseSize = (text: string): number => {
  const match = /^(\d{1,15})\s*([KMGT]?)(?:iB|i|B)?$/i.exec(text);
  const factor = factors[match?.[2]?.toUpperCase() ?? ''];
  const size = Number(match?.[1]) * (factor ?? Number.NaN);
  if (Number.isSafeInteger(size)) return size;
  throw new ReelError('invalid-argument', { expected: 'a size such as 500M, 10G or 2T', got: JSON.stringify(text) });
};

export const volumeCreate = (parent: Command): void => {
  parent
    .command('create <name>')
    .description('make a LUKS container with a filesystem, and open it')
    .requiredOption('--size <size>', 'size of the container, such as 500M, 10G, 2T (powers of 1024)')
    .option('--type <type>', 'luks2 or luks1', 'luks2')
    .option('--engine <engine>', 'kernel or userspace (default: the best one that works here)')
    .option('--locked', 'leave it locked')
    .option(
      '--passphrase-file <file>',
      'protect it with the bytes of this file, all of them, a newline too; - is standard input',
    )
    .option('--ask', 'protect it with a passphrase that is asked for')
    .addHelpText(
      'after',
      `
Without --passphrase-file and --ask a random key file is made beside the containers.

Examples:
  reelvault volume create main --size 500G
  reelvault volume create main --size 500G --ask
  systemd-ask-password -n | reelvault volume create main --size 500G --passphrase-file -`,
    )
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const query = new URLSearchParams({ size: String(parseSize(options.size)), type: options.type });
      if (options.engine !== undefined) query.set('engine', options.engine);
      if (options.locked === true) query.set('open', 'false');
      const secret = await secretFrom(options);
      try {
        const volume = await clientOf(options).put<VolumeView>(`/volumes/${encodeURIComponent(name)}?${query}`, secret);
        const size = formatBytes(volume.size);
        const key = volume.keyFile === null ? '' : `\nkey file: ${volume.keyFile}: keep a copy in a safe place`;
        print(
          options,
          volume,
          `${volume.name}: ${volume.state}, ${size}, ${volume.type}, ${volume.engine}\ncontainer: ${volume.container}${key}`,
        );
      } finally {
        secret?.fill(0);
      }
    });
};
