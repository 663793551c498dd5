/** The thread of a check: it may wait for the disk as long as it likes. Everything it has open is closed before it says `end`. */
import { constants } from 'node:fs';
import os from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { Jail } from '../../datapath/jail.ts';
import { toReelError } from '../../errors.ts';
import { openBeneath } from '../../native.ts';
import { publicKeysOf } from '../evidence/public-keys.ts';
import { Pace, Stopped } from './pace.ts';
import type { CheckOrder, FromWorker, Limit } from './protocol.ts';
import { type CheckProgress, checkVolume } from './volume-check.ts';

const port = parentPort;
if (port === null) throw new TypeError('Expected to be started as a worker');

/** Milliseconds between two reports of how far it is. */
const everyMs = 200;

const tell = (message: FromWorker): void => port.postMessage(message);

const limitOf = (stream: string): Promise<number | undefined> =>
  new Promise((resolve) => {
    port.once('message', ({ limitUs }: Limit) => resolve(limitUs));
    tell({ type: 'limit', stream });
  });

const run = async (order: CheckOrder): Promise<FromWorker> => {
  const { dirFd, level, stream, bytesPerSecond, stop, publicKeys } = order;
  const fd = openBeneath(dirFd, '.', constants.O_RDONLY | constants.O_DIRECTORY, 0, { crossMounts: false });
  const jail = new Jail({ fd, label: 'the volume that is checked' });
  tell({ type: 'ready' });
  const pace = new Pace({ bytesPerSecond, stop });
  let toldAt = 0;
  let latest: CheckProgress = { streams: 0, streamsDone: 0, reels: 0, at: null };
  const report = (): void => tell({ type: 'progress', progress: latest, bytes: pace.spent });
  try {
    await checkVolume({
      files: jail,
      level,
      stream,
      pace,
      limitOf,
      keys: publicKeysOf(publicKeys),
      onFinding: (finding) => tell({ type: 'finding', finding }),
      onProgress: (progress) => {
        latest = progress;
        if (performance.now() - toldAt < everyMs) return;
        toldAt = performance.now();
        report();
      },
    });
    return { type: 'end', state: 'done' };
  } catch (error) {
    if (error instanceof Stopped) return { type: 'end', state: 'stopped' };
    return { type: 'end', state: 'failed', error: toReelError(error).toJSON() };
  } finally {
    report();
    await jail.close();
  }
};

// On Linux this is of the calling thread alone.
os.setPriority(os.constants.priority.PRIORITY_LOW);
run(workerData as CheckOrder).then(tell, (error: unknown) =>
  tell({ type: 'end', state: 'failed', error: toReelError(error).toJSON() }),
);
