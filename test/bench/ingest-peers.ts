/**
 * Other recorders, each as its users run it, writing into a directory of the same volume. None of them syncs what it writes: what is
 * durable is what the kernel happened to write back.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { until } from '../luksblock/support.ts';
import { treeOf } from './ingest-cpu.ts';
import { startLoad } from './ingest-load.ts';

export const peerNames = ['ffmpeg', 'nginx_rtmp', 'nms'] as const;
export type PeerName = (typeof peerNames)[number];

export interface Recording extends AsyncDisposable {
  /** Of the recorder, not of who publishes. */
  processes(): Promise<number[]>;
}

const freePorts = async (count: number): Promise<number[]> => {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) server.close();
  return ports;
};

/** Looks without connecting: ffmpeg takes one connection only. */
const listening = async (ports: readonly number[]): Promise<void> => {
  const wanted = ports.map((port) => `:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`);
  await until(`${ports.length} ports to listen`, async () => {
    const sockets = await readFile('/proc/net/tcp', 'utf8');
    return wanted.every((each) => sockets.includes(each));
  });
};

class Processes {
  readonly #children: ChildProcess[] = [];

  start(command: string, args: readonly string[], cwd?: string): void {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...(cwd && { cwd }) });
    this.#children.push(child);
  }

  async pids(): Promise<number[]> {
    return (await Promise.all(this.#children.map(({ pid = Number.NaN }) => treeOf(pid)))).flat();
  }

  async end(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
        await ended;
        clearTimeout(timer);
      }),
    );
  }
}

/** RTMP publishers: an ffmpeg for each stream, without coding anything. */
const publishRtmp = (clip: string, seconds: number, streams: number, port: number): Processes => {
  const publishers = new Processes();
  for (let at = 0; at < streams; at += 1)
    publishers.start('ffmpeg', [
      ...['-nostdin', '-v', 'fatal', '-re', '-i', clip, '-t', String(seconds), '-map', '0', '-c', 'copy'],
      ...['-flvflags', 'no_duration_filesize', '-f', 'flv', `rtmp://127.0.0.1:${port}/live/s${at}`],
    ]);
  return publishers;
};

interface PeerTask {
  readonly clip: string;
  readonly seconds: number;
  readonly streams: number;
  /** Empty, in the volume. */
  readonly into: string;
  /** Of its own, elsewhere. */
  readonly scratch: string;
}

/** An ffmpeg for each stream, which takes it over HTTP and cuts it into files of four seconds. */
const ffmpeg = async ({ clip, seconds, streams, into }: PeerTask): Promise<Recording> => {
  const recorders = new Processes();
  const ports = await freePorts(streams);
  for (const port of ports)
    recorders.start('ffmpeg', [
      ...['-nostdin', '-v', 'fatal', '-listen', '1', '-f', 'mpegts', '-i', `http://127.0.0.1:${port}/`],
      ...['-map', '0', '-c', 'copy', '-f', 'segment', '-segment_time', '4', '-segment_format', 'mpegts'],
      path.join(into, `${port}-%05d.ts`),
    ]);
  await listening(ports);
  const targets = ports.map((port) => `POST tcp:127.0.0.1:${port} /`);
  const load = await startLoad(clip, seconds, targets);
  return {
    processes: () => recorders.pids(),
    [Symbol.asyncDispose]: async () => {
      await load[Symbol.asyncDispose]();
      await recorders.end();
    },
  };
};

const rtmp = async (
  { clip, seconds, streams }: PeerTask,
  port: number,
  start: (recorder: Processes) => void,
): Promise<Recording> => {
  const recorder = new Processes();
  start(recorder);
  await listening([port]);
  const publishers = publishRtmp(clip, seconds, streams, port);
  return {
    processes: () => recorder.pids(),
    [Symbol.asyncDispose]: async () => {
      await publishers.end();
      await recorder.end();
    },
  };
};

const nginxRtmp = async (task: PeerTask): Promise<Recording> => {
  const [port = 0] = await freePorts(1);
  const { scratch, into } = task;
  const file = path.join(scratch, 'nginx.conf');
  await writeFile(
    file,
    `load_module /usr/lib/nginx/modules/ngx_rtmp_module.so; user root; worker_processes 1; daemon off;
pid ${scratch}/nginx.pid; error_log ${scratch}/error.log; events { worker_connections 4096; }
rtmp { access_log off; server { listen 127.0.0.1:${port}; application live { live on; record all; record_path ${into}; } } }
`,
  );
  const args = ['-e', path.join(scratch, 'error.log'), '-p', scratch, '-c', file];
  return rtmp(task, port, (recorder) => recorder.start('nginx', args));
};

const nms = async (task: PeerTask): Promise<Recording> => {
  const [port = 0, httpPort = 0] = await freePorts(2);
  const { scratch, into } = task;
  const file = path.join(scratch, 'nms.json');
  await writeFile(
    file,
    JSON.stringify({
      ...{ bind: '127.0.0.1', rtmp: { port }, http: { port: httpPort }, webadmin: { enable: false } },
      ...{ store: { path: path.join(scratch, 'store') }, record: { auto: true, path: into } },
    }),
  );
  const program = createRequire(import.meta.url).resolve('node-media-server/bin/app.js');
  return rtmp(task, port, (recorder) => recorder.start(process.execPath, [program, '--config', file], scratch));
};

const peers: Readonly<Record<PeerName, (task: PeerTask) => Promise<Recording>>> = {
  ffmpeg,
  nginx_rtmp: nginxRtmp,
  nms,
};

/** Starts the recorder and its publishers; everything ends with it. */
export const startPeer = async (name: PeerName, task: PeerTask): Promise<Recording> => {
  await mkdir(task.scratch, { recursive: true });
  await mkdir(task.into, { recursive: true });
  return peers[name](task);
};
