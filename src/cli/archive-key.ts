/** `reelvault archive key`. */
import type { Command } from 'commander';
import type { EvidenceKeyView } from '../http/evidence-keys.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';

interface Options extends GlobalOptions {
  readonly all?: boolean;
  readonly rotate?: boolean;
}

export const archiveKey = (parent: Command): void => {
  parent
    .command('key')
    .description('the public key that signatures of reels are checked with, as PEM')
    .option('--all', 'retired ones, too: reels are checked with the key that signed them')
    .option('--rotate', 'sign with a new key from now on; the old private key is gone, its public key stays listed')
    .addHelpText(
      'after',
      `
Give the key to whoever is to check evidence, by a way that cannot be tampered with, before it is needed.

Examples:
  reelvault archive key > host.pem
  reelvault archive key --all > host.pem
  reelvault archive key --rotate`,
    )
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const client = clientOf(options);
      if (options.rotate === true) await client.postJson('/archive/evidence-keys/rotate', {});
      const { keys } = await client.get<{ keys: EvidenceKeyView[] }>('/archive/evidence-keys');
      const shown = options.all === true ? keys : keys.filter(({ retiredAt }) => retiredAt === null);
      print(options, { keys: shown }, shown.map(({ publicKey }) => publicKey.trim()).join('\n'));
    });
};
