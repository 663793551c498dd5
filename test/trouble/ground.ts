/** What the tests of trouble ask of the service, beside what those of the whole service do. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { indexPath, reelPath } from '../../src/archive/reel.ts';
import { encodeIndex, segmentsOf } from '../archive/fixtures.ts';
import { host } from '../command.ts';
import { archiveTarget, segmentUrls } from '../e2e/archive.ts';
import type { Service } from '../e2e/service.ts';

export interface Told {
  readonly id: string;
  readonly type: string;
  readonly volume: string | null;
  readonly stream: string | null;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** The events since `after`, the id of one. */
export const eventsSince = async (service: Service, after?: string): Promise<readonly Told[]> => {
  const query = after === undefined ? '' : `?after=${after}`;
  const { json } = await service.request('GET', `/api/v1/events/recent${query}`);
  return (json as { events: readonly Told[] }).events;
};

export const newestEvent = async (service: Service): Promise<string | undefined> =>
  (await eventsSince(service)).at(-1)?.id;

/** Waits for an event that `is` it. */
export const eventOf = (
  service: Service,
  after: string | undefined,
  what: string,
  is: (event: Told) => boolean,
): Promise<Told> =>
  service.until(async () => (await eventsSince(service, after)).find(is), `an event: ${what}`, 60_000);

/** Why nothing was recorded, gap by gap. */
export const gapReasons = async (service: Service, stream: string): Promise<readonly (readonly string[])[]> => {
  const to = Date.now() / 1000 + 3600;
  const { json } = await service.request('GET', `/api/v1/streams/${stream}/gaps?from=${to - 86_400}&to=${to}`);
  return (json as { gaps: readonly { reasons: readonly string[] }[] }).gaps.map(({ reasons }) => reasons);
};

/** What tells one session from another. */
export const sessionOf = async (service: Service, stream: string) => {
  const { json } = await service.request('GET', `/api/v1/streams/${stream}`);
  const { since, publisher, endedAt } = (json as { session: Record<string, unknown> }).session;
  return { since, publisher, endedAt };
};

/** Waits until somebody publishes the stream, or nobody does. */
export const published = (service: Service, stream: string, wanted: boolean): Promise<true> =>
  service.until(
    async () => {
      const { json } = await service.request('GET', `/api/v1/streams/${stream}`);
      return ((json as { publishing?: boolean }).publishing ?? false) === wanted ? true : undefined;
    },
    `${stream} ${wanted ? 'with' : 'without'} a publisher`,
  );

/** The value of a series; undefined where there is none. */
export const metric = async (service: Service, series: string): Promise<number | undefined> => {
  const text = (await service.request('GET', '/metrics')).body.toString();
  const line = text.split('\n').find((each) => each.startsWith(`reelvault_${series} `));
  return line === undefined ? undefined : Number(line.split(' ')[1]);
};

/** A reel of an hour that is past, as if the service had recorded it. */
export const oldReel = async (mountPoint: string, stream: string, hour: number, bytes: number): Promise<void> => {
  const at = (name: string): string => path.join(mountPoint, name);
  await mkdir(path.dirname(at(reelPath(stream, hour))), { recursive: true });
  await writeFile(at(reelPath(stream, hour)), Buffer.alloc(bytes, 1));
  await writeFile(at(indexPath(stream, hour)), encodeIndex(hour, segmentsOf(hour, [{ at: 0, length: bytes }])));
  const owner = await stat(at('dvr'));
  await host('chown', ['-R', `${owner.uid}:${owner.gid}`, at(`dvr/${stream}`)]);
};

/** Makes the catalog of `main` anew from the reels, and waits until it is whole. */
export const rebuildCatalog = async (service: Service): Promise<void> => {
  const asked = await service.cli(['archive', 'rebuild', 'main']);
  assert.equal(asked.exitCode, 0, JSON.stringify(asked));
  await service.until(async () => {
    const { json } = await service.request('GET', '/api/v1/volumes/main/catalog');
    const { state } = json as { state: string };
    assert.notEqual(state, 'failed');
    return state === 'ready' ? true : undefined;
  }, 'a catalog that is whole');
};

/** Everything that was ever acknowledged of a stream, looked at again and again. */
export class Witness {
  readonly #service: Service;
  readonly #stream: string;
  readonly #sums = new Map<string, string>();

  constructor(service: Service, stream: string) {
    this.#service = service;
    this.#stream = stream;
  }

  get count(): number {
    return this.#sums.size;
  }

  /** What was acknowledged before is listed; what is new is taken down. */
  async look(): Promise<void> {
    const urls = await segmentUrls(this.#service, archiveTarget(this.#stream));
    for (const url of this.#sums.keys()) assert.ok(urls.includes(url), `${url} was acknowledged, and is not listed`);
    for (const url of urls) if (!this.#sums.has(url)) this.#sums.set(url, await this.#sum(url));
  }

  /** Looks until there are so many more than now. */
  async more(count: number): Promise<void> {
    await this.look();
    const wanted = this.count + count;
    const look = async (): Promise<true | undefined> => {
      await this.look();
      return this.count >= wanted ? true : undefined;
    };
    await this.#service.until(look, `${wanted} acknowledged segments of ${this.#stream}`, 60_000);
  }

  /** Every segment that was ever acknowledged is served, byte for byte. */
  async prove(): Promise<void> {
    await this.look();
    for (const [url, sum] of this.#sums) assert.equal(await this.#sum(url), sum, url);
  }

  async #sum(url: string): Promise<string> {
    const { status, body } = await this.#service.request('GET', url);
    assert.equal(status, 200, `the acknowledged ${url}`);
    return createHash('sha256').update(body).digest('hex');
  }
}
