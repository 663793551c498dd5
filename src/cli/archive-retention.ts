/** `reelvault archive retention show|set|inherit|run`. */
import { type Command, InvalidArgumentError } from 'commander';
import type { PurgeReport } from '../archive/retention/report.ts';
import { formatBytes, parseSize } from '../config/size.ts';
import { errorFromWire, ReelError, type WireError } from '../errors.ts';
import type { RetentionView } from '../http/archive-retention.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { oneVolume } from './one-volume.ts';
import { print, table } from './output.ts';
import { purgeText } from './purge-text.ts';
import { duration, formatDuration } from './times.ts';

interface VolumeOption extends GlobalOptions {
  readonly volume?: string;
}

interface SetOptions extends VolumeOption {
  readonly stream?: string;
  readonly maxAge?: number | null;
  readonly maxBytes?: number | null;
  readonly freeMinutes?: number | null;
  readonly freeBytes?: number | null;
  readonly share?: number;
}

const urlOf = (volume: string): string => `/volumes/${encodeURIComponent(volume)}/retention`;

const orNone =
  (parse: (text: string) => number) =>
  (text: string): number | null =>
    text === 'none' ? null : parse(text);

const size = (text: string): number => {
  try {
    return parseSize(text);
  } catch {
    throw new InvalidArgumentError('a size such as 500M, 10G or 1.5TiB');
  }
};

const whole = (text: string): number => {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number');
};

const age = (seconds: number | null | undefined): string => {
  if (seconds === undefined) return 'of the volume';
  return seconds === null ? 'none' : formatDuration(seconds);
};
const bytes = (value: number | null | undefined): string => {
  if (value === undefined) return 'of the volume';
  return value === null ? 'none' : formatBytes(value);
};

const text = (view: RetentionView): string => {
  const { rules, freeBytes, wantedFreeBytes, short, problem } = view;
  const lines = [
    ['max age', age(rules.maxAgeSeconds)],
    ['max size of a stream', bytes(rules.maxBytes)],
    ['keep free', `${bytes(rules.freeBytes)}, ${rules.freeMinutes ?? 0} minutes of recording`],
    [
      'free now',
      `${freeBytes === null ? 'unknown' : formatBytes(freeBytes)} of ${formatBytes(wantedFreeBytes)} wanted`,
    ],
    ['measured bitrate', `${formatBytes(view.bytesPerSecond)}/s`],
  ];
  if (short > 0) lines.push(['cannot be freed', formatBytes(short)]);
  if (problem !== null) {
    const { code, message } = errorFromWire(problem as WireError);
    lines.push(['nothing is deleted', `${code}: ${message}`]);
  }
  const held = new Map(view.held.map((one) => [one.stream, one.bytes]));
  const streams = [...new Set([...held.keys(), ...Object.keys(rules.streams)])].sort().map((stream) => {
    const own = rules.streams[stream] ?? {};
    return [stream, bytes(held.get(stream) ?? 0), age(own.maxAgeSeconds), bytes(own.maxBytes), `${own.share ?? 1}`];
  });
  const about = table(['volume', view.volume], lines);
  return streams.length === 0
    ? about
    : `${about}\n\n${table(['STREAM', 'HOLDS', 'MAX AGE', 'MAX SIZE', 'SHARE'], streams)}`;
};

const show = (parent: Command): void => {
  parent
    .command('show')
    .description('what is kept, and what keeps it from being so')
    .option('--volume <name>', 'the volume')
    .addHelpText('after', '\nExample:\n  reelvault archive retention show')
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<VolumeOption>();
      const client = clientOf(options);
      const view = await client.get<RetentionView>(urlOf(await oneVolume(client, options.volume)));
      print(options, view, text(view));
    });
};

const set = (parent: Command): void => {
  parent
    .command('set')
    .description('change what is kept; "none" takes a limit away')
    .option('--stream <name>', 'only of this stream; without it of each that has no limit of its own')
    .option('--max-age <time>', 'recordings older than this go, such as 30d', orNone(duration))
    .option('--max-bytes <size>', 'what a stream holds beyond this goes, its oldest first', orNone(size))
    .option('--share <weight>', 'of the stream where the volume must make room (1)', whole)
    .option('--free-minutes <minutes>', 'keep room for so many minutes of recording', orNone(whole))
    .option('--free-bytes <size>', 'keep so much free at least', orNone(size))
    .option('--volume <name>', 'the volume')
    .addHelpText(
      'after',
      `
Within a minute the rules are followed; \`reelvault archive retention run --dry-run\` shows what they take. A purge of more than half of
the archive waits for \`reelvault archive retention run --allow-most\`.

Examples:
  reelvault archive retention set --max-age 30d --free-minutes 60
  reelvault archive retention set --stream cam1 --max-age 7d --max-bytes 200G --share 2
  reelvault archive retention set --stream lobby --max-age none`,
    )
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<SetOptions>();
      const { stream, maxAge, maxBytes, freeMinutes, freeBytes, share } = options;
      const given = stream === undefined ? { share } : { 'free-minutes': freeMinutes, 'free-bytes': freeBytes };
      const misplaced = Object.entries(given).find(([, value]) => value !== undefined)?.[0];
      if (misplaced !== undefined)
        throw new ReelError('invalid-argument', {
          expected: `--${misplaced} ${stream === undefined ? 'with' : 'without'} --stream`,
          got: 'the other',
        });
      const body = {
        ...(maxAge === undefined ? {} : { maxAgeSeconds: maxAge }),
        ...(maxBytes === undefined ? {} : { maxBytes }),
        ...(freeMinutes === undefined ? {} : { freeMinutes }),
        ...(freeBytes === undefined ? {} : { freeBytes }),
        ...(share === undefined ? {} : { share }),
      };
      if (Object.keys(body).length === 0)
        throw new ReelError('invalid-argument', { expected: 'a limit to be set', got: 'none' });
      const client = clientOf(options);
      const url = urlOf(await oneVolume(client, options.volume));
      const of = stream === undefined ? '' : `/streams/${encodeURIComponent(stream)}`;
      const view = await client.putJson<RetentionView>(`${url}${of}`, body);
      print(options, view, text(view));
    });
};

const inherit = (parent: Command): void => {
  parent
    .command('inherit <stream>')
    .description('forget the limits of a stream: those of the volume hold')
    .option('--volume <name>', 'the volume')
    .addHelpText('after', '\nExample:\n  reelvault archive retention inherit cam1')
    .action(async (stream: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<VolumeOption>();
      const client = clientOf(options);
      const url = urlOf(await oneVolume(client, options.volume));
      const view = await client.delete<RetentionView>(`${url}/streams/${encodeURIComponent(stream)}`);
      print(options, view, text(view));
    });
};

const run = (parent: Command): void => {
  parent
    .command('run')
    .description('delete now what the rules say')
    .option('--dry-run', 'only show what would go')
    .option('--allow-most', 'also where it is more than half of the archive')
    .option('--volume <name>', 'the volume')
    .addHelpText('after', '\nExample:\n  reelvault archive retention run --dry-run')
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<VolumeOption & { dryRun?: boolean; allowMost?: boolean }>();
      const client = clientOf(options);
      const query = new URLSearchParams({
        dryRun: String(options.dryRun === true),
        allowMost: String(options.allowMost === true),
      });
      const url = `${urlOf(await oneVolume(client, options.volume))}/run?${query}`;
      const report = await client.post<PurgeReport>(url);
      print(options, report, purgeText(report));
    });
};

export const archiveRetention = (parent: Command): void => {
  const retention = parent
    .command('retention')
    .description('how long recordings are kept')
    .addHelpText(
      'after',
      '\nExamples:\n  reelvault archive retention show\n  reelvault archive retention set --max-age 30d',
    );
  for (const verb of [show, set, inherit, run]) verb(retention);
};
