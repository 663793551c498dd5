/** `reelvault check`: is what was recorded still what was recorded. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { formatBytes, parseSize } from '../config/size.ts';
import { ReelError } from '../errors.ts';
import type { ArchiveCheckView } from '../http/archive-check.ts';
import type { VolumeView } from '../http/volumes.ts';
import type { AdminClient } from './client.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';
import { volumeUrl } from './volume-url.ts';

const everyMs = 500;
/** What damaged data ends with; docs/errors.md. */
const damagedExit = 6;

interface Options extends GlobalOptions {
  readonly level: string;
  readonly stream?: string;
  readonly rate: string;
}

const showFar = ({ volume, streams, streamsDone, reels, bytes, at }: ArchiveCheckView): void => {
  if (!process.stderr.isTTY) return;
  const far = `${streamsDone} of ${streams} streams, ${reels} reels, ${formatBytes(bytes)}`;
  process.stderr.write(`\r\x1b[K${volume}: ${far}${at === null ? '' : `, ${at}`}`);
};

/** Begins the check and waits for its end. Ctrl-C ends it with this command. */
const follow = async (client: AdminClient, url: string, query: string): Promise<ArchiveCheckView> => {
  let view = await client.postJson<ArchiveCheckView>(`${url}?${query}`, {});
  const stop = (): void => void client.delete(url).catch(() => undefined);
  process.once('SIGINT', stop);
  try {
    while (view.state === 'running') {
      showFar(view);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
      view = await client.get<ArchiveCheckView>(url);
    }
  } finally {
    process.off('SIGINT', stop);
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
  return view;
};

const told = (view: ArchiveCheckView): string => {
  const { volume, level, state, reels, bytes, damage, notices, findings, problem, startedAt, endedAt } = view;
  const lines = findings.flatMap(({ severity, code, path, what, hint }) => [
    `${severity}: ${path}: ${what} (${code})`,
    `  ${hint}`,
  ]);
  const more = damage + notices - findings.length;
  if (more > 0) lines.push(`… and ${more} more`);
  const seconds = (((endedAt ?? startedAt) - startedAt) / 1000).toFixed(1);
  const end = state === 'done' ? '' : state === 'stopped' ? ', stopped before the end' : `, failed: ${problem}`;
  const sum = damage === 0 && state === 'done' ? 'no damage' : `${damage} damaged`;
  lines.push(
    `${volume}: ${sum}, ${notices} notices; level ${level}, ${reels} reels, ${formatBytes(bytes)} read in ${seconds} s${end}`,
  );
  return lines.join('\n');
};

const volumesToCheck = async (client: AdminClient, named: string | undefined): Promise<string[]> => {
  if (named !== undefined) return [named];
  const { volumes } = await client.get<{ volumes: VolumeView[] }>('/volumes');
  const open = volumes.filter(({ state }) => state === 'open').map(({ name }) => name);
  if (open.length > 0) return open;
  throw new ReelError('volume-state', { expected: 'an open volume to check', got: 'none', hint: 'open it first' });
};

export const check = (parent: Command): void => {
  parent
    .command('check [volume]')
    .description('is what was recorded still what was recorded; exit code 6 where something is damaged')
    .addOption(
      new Option('--level <level>', 'how deep: each level has those before it')
        .choices(['names', 'index', 'bytes'])
        .default('index'),
    )
    .option('--stream <name>', 'only this stream')
    .option('--rate <size>', 'most bytes read in a second', '64M')
    .addHelpText(
      'after',
      `
Levels: names looks at names and sizes, index at every index record and signature, bytes reads everything back and sums it. Reads only, runs
beside recordings; a reel that is being written is looked at as far as it was acknowledged. Without a volume: all that are open.

Exit codes: 0 no damage (there may be notices), 6 damage, 8 stopped or failed before the end.

Examples:
  reelvault check
  reelvault check main --level bytes --rate 200M
  reelvault check main --stream cam1 --level bytes --json`,
    )
    .action(async (named: string | undefined, _local: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const client = clientOf(options);
      const { level, stream, rate } = options;
      const query = new URLSearchParams({
        level,
        rate: String(parseSize(rate)),
        ...(stream === undefined ? {} : { stream }),
      });
      for (const name of await volumesToCheck(client, named)) {
        const view = await follow(client, volumeUrl(name, '/check'), query.toString());
        print(options, view, told(view));
        if (view.damage > 0) process.exitCode = damagedExit;
        else if (view.state !== 'done') process.exitCode ??= 8;
      }
    });
};
