/** `reelvault stream show`. */
import type { Command } from 'commander';
import { formatBytes } from '../config/size.ts';
import { errorFromWire, type WireError } from '../errors.ts';
import type { StreamView } from '../http/streams.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print, table } from './output.ts';
import { keptText, scheduleText, stateText, wantedText } from './stream-state.ts';

const time = (ms: number | null): string => (ms === null ? '-' : new Date(ms).toISOString());

/** Code and what was expected and got, on one line. */
const errorText = (failure: WireError): string => {
  const { code, message } = errorFromWire(failure);
  return `${code}: ${message}`.replaceAll('\n', ' ');
};

const sessionLines = ({ session }: StreamView): string[][] => {
  if (session === null) return [['session', 'none since the start of the service']];
  const { counters } = session;
  return [
    ['publisher', session.publisher],
    ['since', time(session.since)],
    ['ended', time(session.endedAt)],
    ['received', formatBytes(session.received)],
    ['not yet written', formatBytes(session.queued)],
    ['durable', `${session.segments} segments, ${formatBytes(session.bytes)}`],
    ['durable to', time(session.durableTo === null ? null : session.durableTo * 1000)],
    ['clock behind', session.clockBehind ? 'yes' : 'no'],
    [
      'packets',
      `${counters.packets} of ${counters.packetBytes} bytes (${counters.nullPackets} null, ${counters.duplicatePackets} sent twice, ${counters.scrambledPackets} scrambled)`,
    ],
    ['errors', `${counters.continuityErrors} continuity, ${counters.transportErrors} transport`],
    [
      'changes',
      `${counters.discontinuities} announced discontinuities, ${counters.clockJumps} clock jumps, ${counters.tableChanges} of tables`,
    ],
    ['sync losses', `${counters.syncLosses} (${counters.garbageBytes} bytes of garbage)`],
  ];
};

export const streamShow = (parent: Command): void => {
  parent
    .command('show <name>')
    .description('settings, session, counters and last error of a stream')
    .addHelpText('after', '\nExample:\n  reelvault stream show cam1')
    .action(async (name: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const stream = await clientOf(options).get<StreamView>(`/streams/${encodeURIComponent(name)}`);
      const lines = [
        ['state', stateText(stream)],
        ['recording', wantedText(stream)],
        ['schedule', scheduleText(stream)],
        ['pre-record', keptText(stream)],
        ['volume', stream.volume],
        ['segment', `${stream.segmentMs} ms`],
        ['evidence', stream.evidence ? 'yes' : 'no'],
        ['last error', stream.failure === null ? '-' : errorText(stream.failure)],
        ...sessionLines(stream),
      ];
      print(options, stream, table(['name', stream.name], lines));
    });
};
