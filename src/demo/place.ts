/** Where a demo lives: its own directories and its own port, beside whatever else runs on the machine. */

import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, realpath, rm, stat } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { defaultSettings, type Settings } from '../config/settings.ts';
import { ReelError } from '../errors.ts';
import { run } from '../exec/run.ts';

export interface Place {
  readonly base: string;
  readonly settings: Settings;
  /** What the user should know about choices made here. */
  readonly notes: readonly string[];
  /** Removes what is not to be kept. Call it when nothing is mounted any more. */
  remove(): Promise<void>;
}

/** Names a demo makes; a directory with anything else in it is somebody's own. */
const ours = new Set(['storage', 'state', 'service.log', 'archive.m3u8']);

const openBase = async (keep: string | undefined): Promise<string> => {
  // Not below /tmp: where that is a tmpfs, old kernels have no direct I/O on it.
  if (keep === undefined) return mkdtemp('/var/tmp/reelvault-demo-');
  // npm changes to the package's directory and leaves the caller's here.
  const base = path.resolve(process.env.INIT_CWD ?? process.cwd(), keep);
  await mkdir(base, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new ReelError('invalid-argument', {
      expected: 'a directory for --keep',
      got: `${base}: ${cause.code}`,
      cause,
    });
  });
  const foreign = (await readdir(base)).filter((name) => !ours.has(name));
  if (foreign.length > 0) {
    throw new ReelError('invalid-argument', {
      expected: `a new directory, or one that a demo has left, for --keep`,
      got: `${base} with ${foreign.slice(0, 3).join(', ')} in it`,
    });
  }
  return realpath(base);
};

/** Whose directory it is, when not root's: with `sudo npm run demo -- --keep ~/kept` somebody with root's rights chose their own place. */
const ownerOf = async (base: string): Promise<number> => {
  const { uid } = await stat(base);
  return uid === 0 ? (await stat(path.dirname(base))).uid : uid;
};

/** The wanted port, or a free one where somebody has it. */
const freePort = async (host: string, wanted: number): Promise<number> => {
  const server = net.createServer();
  try {
    server.listen(wanted, host);
    await once(server, 'listening');
    return (server.address() as net.AddressInfo).port;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return freePort(host, 0);
  } finally {
    server.close();
  }
};

export const preparePlace = async (keep: string | undefined): Promise<Place> => {
  const base = await openBase(keep);
  // Sockets have short names (108 bytes), so they do not go below a directory that may be deep.
  const runtime = await mkdtemp('/run/reelvault-demo-');
  if (keep === undefined) await chmod(base, 0o755);
  // The service takes a datapath that is there, and makes none.
  await mkdir(path.join(base, 'storage'), { recursive: true, mode: 0o755 });
  const { listenHost, listenPort: wanted } = defaultSettings;
  const listenPort = await freePort(listenHost, wanted);
  // The demo prints a new password each time: it cannot know the one of a former run.
  await rm(path.join(base, 'state/admin.json'), { force: true });
  return {
    base,
    settings: {
      ...defaultSettings,
      datapath: [path.join(base, 'storage')],
      datapathOwner: await ownerOf(base),
      state: path.join(base, 'state'),
      runtime,
      listenPort,
      defaultVolume: 'demo',
      segmentMs: 2000,
    },
    notes: listenPort === wanted ? [] : [`port ${wanted} is taken; this demo listens on ${listenPort}`],
    remove: async () => {
      await rm(runtime, { recursive: true, force: true });
      await releaseMountPoints(base);
      if (keep !== undefined) return;
      await rm(base, { recursive: true, force: true });
    },
  };
};

/**
 * Mount points are immutable, so that nothing is recorded into them by mistake. What a demo leaves must go with `rm -r`; the next open
 * makes them immutable again.
 */
const releaseMountPoints = async (base: string): Promise<void> => {
  const directory = path.join(base, 'storage/mount');
  const names = await readdir(directory).catch(() => []);
  const points = names.map((name) => path.join(directory, name));
  if (points.length > 0) await run('chattr', ['-i', ...points], { timeoutMs: 30_000, okCodes: [0, 1] });
};

/** The same place with another port. */
export const onFreePort = async (place: Place): Promise<Place> => {
  const { settings } = place;
  return { ...place, settings: { ...settings, listenPort: await freePort(settings.listenHost, 0) } };
};
