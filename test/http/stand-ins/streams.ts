/** Stands for the streams: their settings, and the routes that are published to and played from. */
import type { FastifyPluginAsync } from 'fastify';
import { ReelError } from '../../../src/errors.ts';
import type { DeletedStream, StreamView } from '../../../src/http/streams.ts';
import type { Seen } from './seen.ts';

export const streamsStandIn = ({ note }: Seen) => {
  const stream = (name: string): StreamView => ({
    name,
    volume: 'main',
    segmentMs: 4000,
    evidence: false,
    preRecordSeconds: 0,
    publishing: false,
    recording: false,
    wanted: { record: true, by: 'always' as const, reason: '', since: null, until: null },
    order: null,
    schedule: null,
    kept: { bytes: 0, since: null },
    session: null,
    failure: null,
  });
  const streams = {
    list: async () => [stream('cam')],
    get: async (name: string) => stream(name),
    put: async (name: string, change: object) => ({ ...stream(name), ...change }),
    order: async (name: string, order: object) => {
      note('order', name, order);
      return stream(name);
    },
    gaps: async () => [{ from: 10, to: 20, reasons: ['ordered-off' as const] }],
    schedule: async (name: string, schedule: object | null) => {
      note('schedule', name, schedule);
      return stream(name);
    },
    delete: async (name: string): Promise<DeletedStream> => {
      note('delete', name);
      return { name, volume: 'main', recordings: 'kept' };
    },
  };
  const ingest: FastifyPluginAsync = async (scope) => {
    scope.put('/ingest/:stream', async (request) => ({ caller: request.caller }));
  };
  const playback: FastifyPluginAsync = async (scope) => {
    scope.get('/:stream/index.m3u8', async () => '#EXTM3U');
    scope.get('/:stream/broken.ts', async () => {
      throw new ReelError('io-error', {
        expected: 'to read /mount/main/dvr/x.ts',
        got: 'EIO',
        details: { path: '/mount/main' },
      });
    });
    scope.get('/:stream/defect.ts', async () => {
      throw new Error('ENOENT /srv/secret-place/file');
    });
  };
  return { streams, ingest, playback };
};
