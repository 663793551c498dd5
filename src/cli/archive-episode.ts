/** `reelvault archive episode add|list|remove`. */
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import type { EpisodeView } from '../http/archive-episodes.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { oneVolume } from './one-volume.ts';
import { print, table } from './output.ts';
import { duration, formatInstant, instant } from './times.ts';

interface VolumeOption extends GlobalOptions {
  readonly volume?: string;
}

interface AddOptions extends VolumeOption {
  readonly from: number;
  readonly to: number;
  readonly id?: string;
  readonly note?: string;
  readonly keep?: number;
  readonly replace?: boolean;
}

const urlOf = (volume: string): string => `/volumes/${encodeURIComponent(volume)}/episodes`;

const row = ({ id, stream, from, to, expiresAt, expired, note }: EpisodeView): string[] => [
  id,
  stream,
  formatInstant(from),
  formatInstant(to),
  expired ? 'expired' : expiresAt === null ? 'never' : formatInstant(expiresAt),
  note,
];

const add = (parent: Command): void => {
  parent
    .command('add <stream>')
    .description('protect a range of a stream: retention never takes it')
    .requiredOption('--from <time>', 'its start, such as 2026-11-21T14:00:00Z, or Unix seconds', instant)
    .requiredOption('--to <time>', 'its end; it may lie in the future', instant)
    .option('--id <id>', 'a name for it; without it one is made')
    .option(
      '--keep <time>',
      'protect it for so long from now on, such as 90d; without it until it is removed',
      duration,
    )
    .option('--note <text>', 'what it is')
    .option('--replace', 'put it in the place of another episode of this id')
    .option('--volume <name>', 'the volume')
    .addHelpText(
      'after',
      '\nProtects whole hours: the reels that the range touches.\n\nExample:\n  reelvault archive episode add cam1 --from 2026-11-21T14:00:00Z --to 2026-11-21T15:30:00Z --id final --keep 90d',
    )
    .action(async (stream: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<AddOptions>();
      const client = clientOf(options);
      const query = new URLSearchParams({ stream, from: String(options.from), to: String(options.to) });
      if (options.note !== undefined) query.set('note', options.note);
      if (options.keep !== undefined) query.set('expiresAt', String(Math.floor(Date.now() / 1000) + options.keep));
      if (options.replace === true) query.set('replace', 'true');
      const id = encodeURIComponent(options.id ?? randomUUID());
      const episode = await client.put<EpisodeView>(`${urlOf(await oneVolume(client, options.volume))}/${id}?${query}`);
      print(options, episode, `${episode.id}: protected`);
    });
};

const list = (parent: Command): void => {
  parent
    .command('list')
    .description('the protected ranges')
    .option('--volume <name>', 'the volume')
    .addHelpText('after', '\nExample:\n  reelvault archive episode list --json')
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<VolumeOption>();
      const client = clientOf(options);
      const answer = await client.get<{ episodes: EpisodeView[] }>(urlOf(await oneVolume(client, options.volume)));
      print(options, answer, table(['ID', 'STREAM', 'FROM', 'TO', 'UNTIL', 'NOTE'], answer.episodes.map(row)));
    });
};

const remove = (parent: Command): void => {
  parent
    .command('remove <id>')
    .description('protect a range no longer; its recordings stay until a rule takes them')
    .option('--volume <name>', 'the volume')
    .addHelpText('after', '\nExample:\n  reelvault archive episode remove final')
    .action(async (id: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<VolumeOption>();
      const client = clientOf(options);
      const url = `${urlOf(await oneVolume(client, options.volume))}/${encodeURIComponent(id)}`;
      const answer = await client.delete<{ readonly removed: boolean }>(url);
      print(options, answer, answer.removed ? `${id}: no longer protected` : `${id}: there is no such episode`);
    });
};

export const archiveEpisode = (parent: Command): void => {
  const episode = parent
    .command('episode')
    .description('ranges that retention never takes')
    .addHelpText('after', '\nExamples:\n  reelvault archive episode list\n  reelvault archive episode remove final');
  for (const verb of [add, list, remove]) verb(episode);
};
