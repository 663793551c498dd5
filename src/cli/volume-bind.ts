/** `reelvault volume bind`. */
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { ReelError } from '../errors.ts';
import type { BoundView, TangKeysView } from '../http/volume-unlock.ts';
import type { AdminClient } from './client.ts';
import { type CurrentKeyOptions, currentKey, currentKeyOptions, joinSecrets } from './current-key.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { volumeUrl } from './volume-url.ts';

interface Options extends GlobalOptions, CurrentKeyOptions {
  readonly url?: string;
  readonly thumbprint?: string;
  readonly trust?: boolean;
  readonly pcrs?: string;
}

const wrong = (expected: string, got: string): ReelError => new ReelError('invalid-argument', { expected, got });

/** Ctrl-C and Ctrl-D are no answer. */
const ask = async (question: string): Promise<string> => {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question);
  } catch {
    process.stderr.write('\n');
    return '';
  } finally {
    terminal.close();
  }
};

/** The thumbprint that the admin trusts: named, or shown and agreed to. */
const trusted = async (client: AdminClient, url: string, { trust }: Options): Promise<string> => {
  const { thumbprints } = await client.get<TangKeysView>(`/tang-keys?${new URLSearchParams({ url })}`);
  const [first] = thumbprints;
  if (first === undefined) throw wrong('a Tang server that signs', 'one that does not');
  process.stderr.write(`${url} is signed by\n${thumbprints.map((each) => `  ${each}\n`).join('')}`);
  if (trust === true) return first;
  if (!process.stdin.isTTY) {
    throw new ReelError('invalid-argument', {
      expected: '--thumbprint or --trust, where nobody can be asked',
      got: 'neither',
      hint: 'compare with what `tang-show-keys` prints on the server',
    });
  }
  const answer = await ask('Compare with `tang-show-keys` on the server. Trust it? [y/N] ');
  if (/^y(es)?$/i.test(answer.trim())) return first;
  throw wrong('a Tang server that you trust', 'a no');
};

export const volumeBind = (parent: Command): void => {
  currentKeyOptions(parent.command('bind <name> <tang|tpm2>'))
    .description('bind a new key of a volume to a Tang server, or to the TPM of this machine')
    .option('--url <url>', 'of the Tang server')
    .option('--thumbprint <text>', 'of a signing key of the Tang server, as `tang-show-keys` prints it there')
    .option('--trust', 'trust whatever keys the Tang server shows now')
    .option('--pcrs <numbers>', 'TPM: only while these PCRs are as now, such as 7 (Secure Boot) or 4,7')
    .addHelpText(
      'after',
      `
The key that unlocks now is that of --passphrase-file, --ask or --recovery, else the key file. Keep one of these:
a lost server or a cleared TPM gives nothing back. Needs the packages clevis and clevis-luks, for a TPM clevis-tpm2.

Examples:
  reelvault volume bind main tang --url http://tang.lan:7500
  reelvault volume bind main tang --url http://tang.lan:7500 --thumbprint THUMBPRINT
  reelvault volume bind main tpm2 --pcrs 7 --ask`,
    )
    .action(async (name: string, pin: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { url, thumbprint, trust, pcrs } = options;
      if (pin !== 'tang' && pin !== 'tpm2') throw wrong('tang or tpm2', pin);
      if (pin === 'tang' && (url === undefined || pcrs !== undefined)) throw wrong('--url, and no --pcrs', 'another');
      if (pin === 'tpm2' && (url ?? thumbprint ?? trust) !== undefined) {
        throw wrong('a TPM without --url, --thumbprint and --trust', 'one of them');
      }
      const client = clientOf(options);
      const thp = url === undefined ? undefined : (thumbprint ?? (await trusted(client, url, options)));
      const { body, query } = joinSecrets(await currentKey(options), undefined);
      const about = { pin, url, thumbprint: thp, pcrs };
      for (const [key, value] of Object.entries(about)) if (value !== undefined) query.set(key, value);
      try {
        const made = await client.post<BoundView>(`${volumeUrl(name, '/bindings')}?${query}`, body);
        const how = made.added ? 'is bound to' : 'was bound already to';
        print(options, made, `${name}: slot ${made.slot} ${how} ${made.binding}`);
      } finally {
        body?.fill(0);
      }
    });
};
