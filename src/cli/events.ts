/** `reelvault events`: what happened lately, and with --follow what happens. */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { toReelError } from '../errors.ts';
import type { ServiceEvent } from '../events/bus.ts';
import type { AdminClient } from './client.ts';
import { eventsTest } from './events-test.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';

interface Options extends GlobalOptions {
  readonly follow?: boolean;
  readonly type?: string[];
  readonly volume?: string;
  readonly stream?: string;
}

interface Recent {
  readonly events: ServiceEvent[];
  readonly lastId: string;
}

const againMs = 1000;

const inWords = ({ time, type, volume, stream, facts }: ServiceEvent): string => {
  const about = [volume, stream].filter((name) => name !== null).join('/');
  const told = Object.entries(facts).map(
    ([key, value]) => `${key}=${typeof value === 'string' && !value.includes(' ') ? value : JSON.stringify(value)}`,
  );
  return [time, type, about === '' ? '-' : about, ...told].join(' ');
};

const queryOf = ({ type = [], volume, stream }: Options): string => {
  const query = new URLSearchParams(type.map((one): [string, string] => ['type', one]));
  if (volume !== undefined) query.set('volume', volume);
  if (stream !== undefined) query.set('stream', stream);
  return `?${query}`;
};

/** Hears one connection to its end. Returns the id of the last event. */
const hear = async (
  client: AdminClient,
  query: string,
  after: string,
  onData: (json: string) => void,
): Promise<string> => {
  let last = after;
  const answer = await client.stream(`/events${query}`, { 'last-event-id': after });
  try {
    for await (const line of createInterface({ input: answer })) {
      if (line.startsWith('id: ')) last = line.slice(4);
      else if (line.startsWith('data: ')) onData(line.slice(6));
    }
  } catch (error) {
    // A service that was killed breaks the connection off; whoever follows connects again.
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
  }
  return last;
};

export const events = (parent: Command): void => {
  const command = parent
    .command('events')
    .description('what happened lately in the service, oldest first')
    .option('-f, --follow', 'go on with what happens, also after a restart of the service; Ctrl-C ends')
    .option('--type <types...>', 'only these types, such as volume.state or stream.*')
    .option('--volume <name>', 'only about this volume')
    .option('--stream <name>', 'only about this stream')
    .addHelpText(
      'after',
      `
The service keeps its newest 1000 events in memory.

Examples:
  reelvault events
  reelvault events --follow --type 'volume.*' stream.failed
  reelvault events test
  reelvault events --json --follow | jq 'select(.type == "volume.state")'`,
    )
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const client = clientOf(options);
      const query = queryOf(options);
      const say = (event: ServiceEvent): void => print(options, event, inWords(event));
      const recent = await client.get<Recent>(`/events/recent${query}`);
      for (const event of recent.events) say(event);
      let last = recent.lastId;
      while (options.follow === true) {
        try {
          last = await hear(client, query, last, (json) => {
            const event = JSON.parse(json) as Partial<ServiceEvent>;
            if (event.id !== undefined) say(event as ServiceEvent);
            else if (event.type === 'events.missed')
              process.stderr.write('events: some are missing here: the service was restarted, or too many came\n');
          });
          process.stderr.write('events: the service ended the connection; waiting for it\n');
        } catch (thrown) {
          const error = toReelError(thrown);
          if (error.code !== 'not-running') throw error;
        }
        await sleep(againMs);
      }
    });
  eventsTest(command);
};
