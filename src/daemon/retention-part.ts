/** Retention in the daemon: which volumes it looks after, what it knows of them, and what the API asks of it. */
import type { Logger } from 'pino';
import { type Episode, isExpired } from '../archive/episodes/episode.ts';
import { fetchEpisodes } from '../archive/episodes/external.ts';
import { RateMeter } from '../archive/retention/rate.ts';
import { Retention } from '../archive/retention/retention.ts';
import { VolumeCatalog } from '../archive/retention/volume-catalog.ts';
import { webhookAddress } from '../config/webhook-address.ts';
import type { EventBus } from '../events/bus.ts';
import type { EpisodesPart, EpisodeView } from '../http/archive-episodes.ts';
import type { RetentionPart, RetentionView } from '../http/archive-retention.ts';
import type { Recorder } from '../recorder/recorder.ts';
import type { VolumeHooks } from '../volume/manager/hooks.ts';
import { type Limits, volumeReserve } from '../volume/manager/limits.ts';
import type { VolumeManager } from '../volume/manager/manager.ts';

export interface RetentionParts {
  readonly service: Retention;
  /** Before those of the recorder: with the recorder goes the catalog. */
  readonly letGo: VolumeHooks;
  /** After those of the recorder. */
  readonly takeUp: VolumeHooks;
  /** Bytes a second that are recorded into the volume. */
  readonly rate: (volume: string) => number;
  readonly retention: RetentionPart;
  readonly episodes: EpisodesPart;
}

/** Bytes that became durable, by volume. */
const meterOf = (recorder: Recorder): RateMeter => {
  const meter = new RateMeter(() => performance.now());
  recorder.on('durable', (_stream, segments, volume) =>
    meter.add(
      volume,
      segments.reduce((sum, { length }) => sum + length, 0),
    ),
  );
  return meter;
};

export const retentionParts = (params: {
  /** Of another system's list of episodes; empty: there is none. */
  readonly episodesUrl: () => string;
  readonly volumes: Pick<VolumeManager, 'list'>;
  readonly limits: Limits;
  readonly recorder: Recorder;
  readonly events: EventBus;
  readonly log: Logger;
  readonly now: () => number;
}): RetentionParts => {
  const { episodesUrl, volumes, limits, recorder, events, log, now } = params;
  const meter = meterOf(recorder);
  const viewOf = (name: string) => volumes.list().find((volume) => volume.name === name);
  const freeOf = (name: string): number | undefined => viewOf(name)?.available ?? undefined;
  const service = new Retention({
    facts: (volume) => ({
      freeBytes: freeOf(volume),
      bytesPerSecond: meter.bytesPerSecond(volume),
      reserveBytes: volumeReserve(volume, viewOf(volume)?.capacity ?? 0, limits),
    }),
    external: async () => {
      const url = episodesUrl();
      return url === '' ? [] : fetchEpisodes(webhookAddress(url, 'REELVAULT_EPISODES_URL'));
    },
    onNews: (news) => void events.publish(news),
    log,
    now,
  });

  const view = async (volume: string): Promise<RetentionView> => {
    const retention = service.of(volume);
    const rules = await retention.rules(); // first: the books follow them
    const { held, short, wantedFreeBytes, bytesPerSecond } = retention.state;
    return {
      volume,
      rules,
      freeBytes: freeOf(volume) ?? null,
      wantedFreeBytes,
      short,
      bytesPerSecond,
      held: [...held],
      problem: service.problem(volume)?.toJSON() ?? null,
    };
  };
  /** The audit trail has the names of the fields of a request; what they became is here. */
  const changed = (volume: string, stream: string | null, rules: object): void => {
    events.publish({ type: 'archive.rules.changed', volume, stream, facts: { ...rules } });
  };
  const episodeView = (episode: Episode): EpisodeView => ({ ...episode, expired: isExpired(episode, now()) });

  return {
    service,
    rate: (volume) => meter.bytesPerSecond(volume),
    letGo: {
      beforeLock: (name) => service.detach(name),
      onLost: (name) => service.detach(name),
    },
    takeUp: {
      onOpen: async ({ name, jail, readOnly }) => {
        const archive = recorder.volumeArchive(name);
        if (archive === undefined) return;
        const catalog = new VolumeCatalog({ files: jail, rows: archive.catalog });
        service.attach({ name, files: jail, catalog, readOnly });
      },
      onEvent: ({ type, volume, kind, active }) => {
        if (type === 'volume.condition' && kind === 'volume-space' && active === true) service.hurry(volume);
      },
    },
    retention: {
      get: view,
      change: async (volume, change) => {
        const { streams: _, ...rules } = await service.of(volume).changeRules(change);
        changed(volume, null, rules);
        return view(volume);
      },
      changeStream: async (volume, stream, change) => {
        const { streams } = await service.of(volume).changeStreamRules(stream, change);
        changed(volume, stream, streams[stream] ?? {});
        return view(volume);
      },
      purge: (volume, options) => service.of(volume).purge(options),
      thin: (volume, options) => service.of(volume).thin(options),
    },
    episodes: {
      list: async (volume) => (await service.of(volume).episodes()).map(episodeView),
      put: async (volume, episode, replace) => {
        const { stream, ...facts } = await service.of(volume).putEpisode(episode, replace);
        events.publish({ type: 'archive.episode.added', volume, stream, facts });
        return episodeView({ stream, ...facts });
      },
      remove: async (volume, id) => {
        const removed = await service.of(volume).removeEpisode(id);
        if (removed === undefined) return false;
        const { stream, ...facts } = removed;
        events.publish({ type: 'archive.episode.removed', volume, stream, facts });
        return true;
      },
    },
  };
};
