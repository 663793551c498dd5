/** The segment writer as a contender of the writer bench. */
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { NativeWriter, type WriterEvent } from '../../src/native.ts';
import { contend } from './writer-load.ts';

/** Taken in before the event loop gets its turn, as much as a few reads of sockets bring. */
const bytesATurn = 1024 * 1024;
const commitIntervalMs = 1000;
/** What the ceiling of the service would have to be for so many streams: docs/archive.md, "Memory". */
const stagingBytes = (streams: number): number => Math.max(64, Math.ceil(streams * 0.32)) * 1024 * 1024;

interface Feed {
  readonly id: number;
  /** Number of its next chunk. */
  at: number;
}

const reelsIn = (root: string): number =>
  (fs.readdirSync(root, { recursive: true }) as string[]).filter((name) => name.endsWith('.ts')).length;

await contend(async ({ root, streams, chunks: count, chunksBefore, chunkBytes, segmentMs }, chunks) => {
  const directory = fs.openSync(root, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  const feeds = new Map<number, Feed>();
  let ready: Feed[] = [];
  /** How many chunks each stream shall have had. */
  let last = 0;
  let wake = (): void => {};
  const onEvents = (events: readonly WriterEvent[]): void => {
    for (const event of events) {
      if (event.type === 'error') throw event.error;
      if (event.type !== 'drain') continue;
      const feed = feeds.get(event.stream);
      // One that had its last chunk is told to go on, too.
      if (feed !== undefined && feed.at < last) ready.push(feed);
    }
    wake();
  };
  const writer = new NativeWriter({ stagingBytes: stagingBytes(streams), commitIntervalMs }, onEvents);
  const { highMark } = writer;
  const volume = writer.addVolume(directory, Buffer.alloc(16, 7));
  for (let at = 0; at < streams; at += 1) {
    const id = writer.openStream({ volume, name: `s${at}`, segmentMs, lastEndUs: null });
    feeds.set(id, { id, at: 0 });
  }

  let next = 0;
  let left = 0;
  /** One chunk for each stream in turn; a stream that must wait for `drain`, or has all its chunks, is left out. */
  const turn = (): void => {
    for (let taken = 0; taken < bytesATurn && ready.length > 0; taken += chunkBytes) {
      if (next >= ready.length) next = 0;
      const feed = ready[next] as Feed;
      const queued = writer.append(feed.id, chunks[feed.at % chunks.length] as Buffer, Date.now() * 1000);
      if (queued >= 0) feed.at += 1;
      const done = feed.at === last;
      if (done) left -= 1;
      if (queued >= 0 && queued <= highMark && !done) next += 1;
      else {
        ready[next] = ready.at(-1) as Feed;
        ready.pop();
      }
    }
  };
  const feedTo = async (chunk: number): Promise<void> => {
    last = chunk;
    ready = [...feeds.values()];
    left = streams;
    for (turn(); left > 0; turn())
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (ready.length > 0) setImmediate(resolve);
      });
  };

  await feedTo(chunksBefore);
  while (reelsIn(root) < streams) await sleep(50);
  await sleep(commitIntervalMs * 1.5);
  return async () => {
    await feedTo(chunksBefore + count);
    await writer.close();
    fs.closeSync(directory);
  };
});
