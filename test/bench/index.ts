/**
 * What an archive costs by its size: 100 streams of 4 s segments over a year, and a tenth and a hundredth of that. One process serves
 * playback over HTTP from a plain directory; another asks. Times are those of the asker, to the last byte. What is real in the archive is in
 * index-archive.ts; the page cache is warm. Figures and reasons: docs/catalog.md.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { releaseMemory } from '../../src/native/release-memory.ts';
import { median, percentile, rounded } from './bench-figures.ts';
import {
  addHours,
  catalogBytes,
  endHour,
  segmentsAnHour,
  streamCount,
  streamName,
  writeIndex,
  yearHours,
} from './index-archive.ts';
import type { Bench } from './main.ts';

const rounds = 3;
const rangeQueries = 300;
const playlistQueries = 150;
const day = 24;
/** The longest span that playback answers for. */
const month = 31 * day;

interface Query {
  readonly stream: string;
  /** Unix seconds. */
  readonly from: number;
  readonly to: number;
}

/** The same figures each time, from a small generator (Park and Miller, 1988). */
const randomFrom = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
};

/** Spans of `hours` that begin and end in the middle of a segment, of random streams, within the `held` newest hours. */
const queriesOf = (random: () => number, count: number, hours: number, held: number): Query[] =>
  Array.from({ length: count }, () => {
    const span = Math.min(hours, held - 2);
    const start = endHour - held + 1 + random() * (held - 2 - span);
    const from = Math.round(start * 3600);
    return { stream: streamName(Math.floor(random() * streamCount)), from, to: from + span * 3600 };
  });

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

const open = async (base: string, route: string): Promise<http.IncomingMessage> => {
  const request = http.get(`${base}${route}`, { agent });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`${route}: ${response.statusCode} ${await text(response)}`);
  return response;
};

const get = async (base: string, route: string): Promise<string> => text(await open(base, route));

/** To the last byte, without keeping any: the collector of the asker would be measured, too. */
const drain = async (base: string, route: string): Promise<void> => {
  const response = await open(base, route);
  response.on('data', releaseMemory);
  await once(response, 'end');
};

interface Running extends AsyncDisposable {
  readonly base: string;
}

const serve = async (root: string, state: string): Promise<Running> => {
  const script = path.join(import.meta.dirname, 'index-service.ts');
  const child: ChildProcess = spawn(process.execPath, [script, root, state], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [line] = (await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), ended])) as [Buffer];
  return {
    base: String(line).trim(),
    [Symbol.asyncDispose]: async () => {
      child.stdin?.end();
      await ended;
    },
  };
};

const rangesRoute = ({ stream, from, to }: Query): string =>
  `/${stream}/recording_status.json?from=${from}&to=${to}&request=ranges`;
const playlistRoute = ({ stream, from, to }: Query): string => `/${stream}/archive-${from}-${to - from}.m3u8`;

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};

/** One span must be recorded without a gap, and the playlist must list a segment for each 4 s: else the figures mean nothing. */
const prove = async (base: string, ranges: Query, playlist: Query): Promise<void> => {
  const [answer] = JSON.parse(await get(base, rangesRoute(ranges)));
  if (answer.ranges.length !== 1 || answer.ranges[0].duration < ranges.to - ranges.from)
    throw new Error(`expected one range of ${ranges.to - ranges.from} s, got ${JSON.stringify(answer).slice(0, 300)}`);
  const listed = (await get(base, playlistRoute(playlist))).match(/#EXTINF/g)?.length ?? 0;
  if (Math.abs(listed - (playlist.to - playlist.from) / 4) > 1) throw new Error(`a playlist of ${listed} segments`);
};

interface ServiceState {
  readonly catalog: string;
  /** Used by the whole service process so far, its threads too. */
  readonly cpuMs: number;
  readonly rssMiB: number;
}

const stateOf = async (base: string): Promise<ServiceState> => JSON.parse(await get(base, '/bench-state'));

const waitForCatalog = async (base: string): Promise<void> => {
  while ((await stateOf(base)).catalog !== 'ready') await new Promise((resolve) => setTimeout(resolve, 5));
};

type Asked = Awaited<ReturnType<typeof ask>>;

/** Asks one after the other. `cpu`: processor time of the service a request, which other programs on the machine hardly change. */
const ask = async (base: string, routes: readonly string[]) => {
  const before = await stateOf(base);
  const times: number[] = [];
  for (const route of routes) times.push(await timed(() => drain(base, route)));
  const cpu = ((await stateOf(base)).cpuMs - before.cpuMs) / routes.length;
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99), cpu };
};

/** All figures of an archive of the newest `held` hours. */
const measure = async (root: string, held: number, random: () => number) => {
  const ranges = queriesOf(random, rangeQueries, month, held);
  const playlists = queriesOf(random, playlistQueries, day, held);
  for (const { stream, from, to } of ranges)
    for (const seconds of [from, to]) writeIndex(root, stream, Math.floor(seconds / 3600));
  for (const { stream, from, to } of playlists)
    for (let hour = Math.floor(from / 3600) - 1; hour <= to / 3600; hour += 1) writeIndex(root, stream, hour);
  const state = fs.mkdtempSync(path.join(os.tmpdir(), 'reelvault-bench-state-'));
  const raw = { startup: [] as number[], startupCpu: [] as number[], ready: [] as number[] };
  const asked = { ranges: [] as Asked[], playlist: [] as Asked[] };
  let rss = 0;
  try {
    for (let round = 0; round < rounds; round += 1) {
      const began = performance.now();
      await using running = await serve(root, state);
      const { base } = running;
      await get(base, playlistRoute(playlists[0] as Query));
      raw.startup.push(performance.now() - began);
      raw.startupCpu.push((await stateOf(base)).cpuMs);
      await waitForCatalog(base);
      raw.ready.push(performance.now() - began);
      await prove(base, ranges[0] as Query, playlists[0] as Query);
      asked.ranges.push(await ask(base, ranges.map(rangesRoute)));
      asked.playlist.push(await ask(base, playlists.map(playlistRoute)));
      rss = (await stateOf(base)).rssMiB;
    }
  } finally {
    fs.rmSync(state, { recursive: true, force: true });
  }
  const of = (of: keyof typeof asked, figure: keyof Asked): number =>
    rounded(median(asked[of].map((one) => one[figure])));
  const reels = held * streamCount;
  return {
    reels,
    startup_ms: rounded(median(raw.startup)),
    catalog_ready_ms: rounded(median(raw.ready)),
    startup_cpu_ms: rounded(median(raw.startupCpu)),
    ranges_p50_ms: of('ranges', 'p50'),
    ranges_p99_ms: of('ranges', 'p99'),
    ranges_cpu_ms: of('ranges', 'cpu'),
    playlist24h_p50_ms: of('playlist', 'p50'),
    playlist24h_p99_ms: of('playlist', 'p99'),
    playlist24h_cpu_ms: of('playlist', 'cpu'),
    catalog_bytes_a_reel: rounded(catalogBytes(root) / reels),
    index_bytes_a_segment: rounded((96 * (segmentsAnHour + 1) + catalogBytes(root) / reels) / segmentsAnHour),
    rss_mib: rss,
    rounds: {
      startup: raw.startup.map((figure) => rounded(figure)),
      ranges_p99: asked.ranges.map(({ p99 }) => rounded(p99)),
      playlist24h_p99: asked.playlist.map(({ p99 }) => rounded(p99)),
    },
  };
};

export const bench: Bench = async (say) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'reelvault-bench-index-'));
  try {
    const random = randomFrom(20_261_101);
    const sizes: Record<string, Awaited<ReturnType<typeof measure>>> = {};
    let held = 0;
    for (const [name, hours] of [
      ['1%', Math.round(yearHours / 100)],
      ['10%', yearHours / 10],
      ['100%', yearHours],
    ] as const) {
      say(`making the archive of ${hours} hours of ${streamCount} streams`);
      addHours(root, endHour - hours, endHour - held, random);
      held = hours;
      sizes[name] = await measure(root, held, random);
      say(`${name}: ${JSON.stringify(sizes[name])}`);
    }
    const { startup_ms, ranges_p99_ms, playlist24h_p99_ms, index_bytes_a_segment } = sizes['100%'] as never;
    return {
      cpu: os.cpus()[0]?.model ?? '',
      cpus: os.cpus().length,
      loadAverage: os.loadavg().map((figure) => rounded(figure)),
      startup_ms,
      ranges_p99_ms,
      playlist24h_p99_ms,
      index_bytes_a_segment,
      sizes,
    };
  } finally {
    say('removing the archive');
    fs.rmSync(root, { recursive: true, force: true });
  }
};
