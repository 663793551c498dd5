/** `reelvault volume reencrypt start|status|resume`. */
import type { Command } from 'commander';
import { formatBytes } from '../config/size.ts';
import type { ReencryptionView } from '../http/volume-reencrypt.ts';
import { type CurrentKeyOptions, currentKey, currentKeyOptions } from './current-key.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { volumeUrl } from './volume-url.ts';

const told = (name: string, { state, progress, problem }: ReencryptionView): string => {
  const far =
    progress === null
      ? ''
      : `, ${formatBytes(progress.doneBytes)} of ${formatBytes(progress.totalBytes)}, ${formatBytes(progress.bytesPerSecond)}/s, ${Math.ceil(progress.remainingMs / 60_000)} min left`;
  if (state === 'none') return `${name}: no reencryption`;
  if (state === 'running') return `${name}: reencryption is running${far}`;
  if (state === 'rewritten') return `${name}: all data is rewritten, the header backups are being renewed`;
  const why = problem === null ? '' : ` (${problem})`;
  return `${name}: reencryption is unfinished${why}: run \`reelvault volume reencrypt resume ${name}\``;
};

const begins = (parent: Command, verb: 'start' | 'resume', description: string): Command =>
  currentKeyOptions(parent.command(`${verb} <name>`)).description(description);

const send = async (name: string, command: Command, below: string): Promise<void> => {
  const options = command.optsWithGlobals<GlobalOptions & CurrentKeyOptions>();
  const secret = await currentKey(options);
  try {
    const view = await clientOf(options).post<ReencryptionView>(volumeUrl(name, below), secret);
    print(options, view, told(name, view));
  } finally {
    secret?.fill(0);
  }
};

export const volumeReencrypt = (parent: Command): void => {
  const group = parent
    .command('reencrypt')
    .description('give a LUKS2 volume a new volume key: all its data is written again')
    .addHelpText(
      'after',
      '\nExamples:\n  reelvault volume reencrypt start main --ask\n  reelvault volume reencrypt status main',
    );
  begins(group, 'start', 'begin; the volume is locked, or open for writing with the kernel engine')
    .option('--drop-other-keys', 'only the key that unlocks is carried over; let those of other slots go')
    .addHelpText(
      'after',
      `
For a volume whose header or container somebody may have copied while an old key was valid. The work goes on in the background, survives a
restart of the service. With the kernel engine an open volume stays open and is recorded into meanwhile; a lock stops the work, and the next
open goes on with it. With the userspace engine lock the volume first; it stays locked until all is done. Other keys, the recovery key too,
are added again afterwards.

Examples:
  reelvault volume reencrypt start main
  reelvault volume lock main && reelvault volume reencrypt start main
  reelvault volume reencrypt start main --ask --drop-other-keys`,
    )
    .action(async (name: string, local: { dropOtherKeys?: boolean }, command: Command) =>
      send(name, command, `/reencrypt?dropOtherKeys=${local.dropOtherKeys === true}`),
    );
  begins(
    group,
    'resume',
    'go on after a power cut or a crash in the middle; with the kernel engine an open does that, too',
  )
    .addHelpText('after', '\nExamples:\n  reelvault volume reencrypt resume main')
    .action(async (name: string, _local: object, command: Command) => send(name, command, '/reencrypt/resume'));
  group
    .command('status <name>')
    .description('how far it is')
    .addHelpText('after', '\nExamples:\n  reelvault volume reencrypt status main --json')
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const view = await clientOf(options).get<ReencryptionView>(volumeUrl(name, '/reencrypt'));
      print(options, view, told(name, view));
    });
};
