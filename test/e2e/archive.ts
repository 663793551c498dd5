/** What a player sees of the archive: the segments that are acknowledged, and their bytes. */
import { createHash } from 'node:crypto';
import type { Service } from './service.ts';

/** From a day ago on for two days: everything these tests record. */
export const archiveTarget = (stream: string): string =>
  `/${stream}/archive-${Math.floor(Date.now() / 1000) - 86_400}-172800.m3u8`;

/** Absolute URLs of a playlist's segments. Empty where nothing is recorded yet. */
export const segmentUrls = async (service: Service, target: string): Promise<string[]> => {
  const { status, body } = await service.request('GET', target);
  if (status !== 200) return [];
  const lines = body.toString('utf8').split('\n');
  const uris = lines.filter((line) => line !== '' && !line.startsWith('#'));
  return uris.map((uri) => new URL(uri, new URL(target, service.url)).href);
};

/** SHA-256 of every acknowledged segment, by URL. */
export const acknowledged = async (service: Service, stream: string): Promise<Map<string, string>> => {
  const sums = new Map<string, string>();
  for (const url of await segmentUrls(service, archiveTarget(stream))) {
    const { status, body } = await service.request('GET', url);
    if (status !== 200) throw new Error(`expected status 200 for the acknowledged ${url}, got ${status}`);
    sums.set(url, createHash('sha256').update(body).digest('hex'));
  }
  return sums;
};

/** Waits until the archive has at least `count` segments. */
export const recorded = (service: Service, stream: string, count: number): Promise<string[]> =>
  service.until(
    async () => {
      const urls = await segmentUrls(service, archiveTarget(stream));
      return urls.length >= count ? urls : undefined;
    },
    `${count} acknowledged segments of ${stream}`,
    60_000,
  );
