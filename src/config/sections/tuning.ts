/** `tuning`: sizes, times and limits. The same are environment variables, which go before the file. */
import Type from 'typebox';
import { listenAddress, listenPattern, listenText } from '../listen-address.ts';
import { defaultSettings } from '../settings.ts';
import { like, urlFaults } from './like-setting.ts';
import type { Marks, Section } from './section.ts';

const atStart: Marks = { applies: 'next start' };

const schema = Type.Object(
  {
    listen: Type.String({
      pattern: listenPattern,
      maxLength: 300,
      description: 'address and port of the HTTPS listener; port 0 picks a free one',
      default: listenText(defaultSettings),
      ...({ risky: true } satisfies Marks),
    }),
    default_volume: like('defaultVolume'),
    segment_ms: like('segmentMs'),
    hang_ms: like('hangMs'),
    host_reserve_mib: like('hostReserveMiB'),
    volume_reserve_mib: like('volumeReserveMiB'),
    episodes_url: like('episodesUrl', { secret: true }),
    log_level: like('logLevel'),
    ingest_idle_ms: like('ingestIdleMs', atStart),
    commit_interval_ms: like('commitIntervalMs', atStart),
    staging_mib: like('stagingMiB', atStart),
    pre_record_mib: like('preRecordMiB', atStart),
    writer: like('writerBackend', atStart),
  },
  { additionalProperties: false, default: {} },
);

export const tuning: Section<typeof schema> = {
  schema,
  check: ({ episodes_url: url, listen }) => [
    ...(url === '' ? [] : urlFaults(url, ['episodes_url'])),
    ...(listenAddress(listen) === undefined
      ? [{ path: ['listen'], expected: 'a port of at most 65535', got: listen }]
      : []),
  ],
};
