/** The process of cryptsetup that gives a container a new volume key, found by what it is and not by a number in a file. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReelError } from '../../errors.ts';
import { signalIfThere } from '../../exec/signal.ts';
import type { ContainerFile } from './engine.ts';
import { mappingName } from './mapping-name.ts';

/** Without its UUID, what works below its mapping is not found. */
interface Rewritable {
  readonly path: string;
  readonly uuid?: string;
}

interface Rewriter {
  readonly pid: number;
  /** It works below a mapping that is in use. */
  readonly online: boolean;
}

/** A piece of 16 MiB on a disk that crawls. */
const patienceMs = 60_000;

const rewriterIn = (line: string, container: Rewritable): Omit<Rewriter, 'pid'> | undefined => {
  const [program = '', ...args] = line.split('\0');
  if (path.basename(program) !== 'cryptsetup' || !args.includes('reencrypt')) return undefined;
  const { uuid } = container;
  const online = uuid !== undefined && args.includes(mappingName({ uuid }));
  return online || args.includes(container.path) ? { online } : undefined;
};

const commandLine = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it ended
  }
};

/** Whoever started it. Read at once: the threads that do Node's file work may be waiting for a device that hangs. */
export const findRewriters = (container: Rewritable): Rewriter[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .flatMap((pid) => {
      const rewriter = rewriterIn(commandLine(pid), container);
      return rewriter === undefined ? [] : [{ pid, ...rewriter }];
    });

/**
 * Ends what works below the container's mapping and waits for it: it finishes its piece, leaves the mapping whole and the rest for later.
 * Nothing where there is none. Throws `volume-busy` for one that does not end; it is never killed, because its piece would be torn.
 */
export const endOnlineRewriters = async (container: ContainerFile): Promise<void> => {
  const online = (): number[] => findRewriters(container).flatMap((each) => (each.online ? [each.pid] : []));
  const deadline = Date.now() + patienceMs;
  const asked = new Set<number>();
  for (let pids = online(); pids.length > 0; pids = online()) {
    for (const pid of pids.filter((each) => !asked.has(each))) {
      asked.add(pid);
      signalIfThere(pid, 'SIGTERM');
    }
    if (Date.now() > deadline) {
      throw new ReelError('volume-busy', {
        expected: 'the reencryption to stop after the piece in work',
        got: `cryptsetup (pid ${pids.join(', ')}) still at work after ${patienceMs / 1000} s`,
        hint: 'try again; look at the disk below the container if that goes on',
      });
    }
    await sleep(20);
  }
};
