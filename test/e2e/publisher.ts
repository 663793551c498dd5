/** A real ffmpeg that pushes a live MPEG-TS stream over HTTPS, as an encoder in the field does. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { host } from '../command.ts';
import type { Service } from './service.ts';

/** Stands in the service descriptor of every published stream, in plaintext. */
export const marker = 'REELVAULT-MARKER-7f3a91';

/** Ten seconds of picture and tone with a keyframe every second; encoded once, so that publishing costs no CPU. `constantRate`: of the picture, filled up. */
export const makeClip = async (folder: string, constantRate?: string): Promise<string> => {
  const file = path.join(folder, 'clip.ts');
  await host('ffmpeg', [
    ...['-nostdin', '-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25'],
    ...['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000', '-t', '10', '-c:v', 'libx264'],
    ...['-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '25', '-keyint_min', '25', '-sc_threshold', '0'],
    ...(constantRate === undefined ? ['-b:v', '800k'] : atRate(constantRate)),
    ...['-c:a', 'aac', '-b:a', '64k', '-f', 'mpegts', file],
  ]);
  return file;
};

const atRate = (rate: string): string[] =>
  ['-b:v', '-minrate', '-maxrate', '-bufsize']
    .flatMap((option) => [option, rate])
    .concat('-x264-params', 'nal-hrd=cbr');

export interface Ending {
  readonly exitCode: number | null;
  readonly stderr: string;
}

export class Publisher {
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;

  /** Sends in real time, again and again or for `seconds`, until stopped. The ticket is good for one connection. */
  static async start(service: Service, stream: string, clip: string, seconds?: number): Promise<Publisher> {
    const answer = await service.request('POST', `/api/v1/streams/${stream}/tickets`);
    const { path: target } = answer.json as { path: string };
    return new Publisher(new URL(target, service.url).href, clip, seconds);
  }

  constructor(url: string, clip: string, seconds?: number) {
    this.#child = spawn('ffmpeg', [
      ...['-nostdin', '-v', 'error', '-re', '-stream_loop', '-1', '-i', clip],
      ...(seconds === undefined ? [] : ['-t', String(seconds)]),
      ...['-map', '0', '-c', 'copy', '-metadata', `service_name=${marker}`, '-f', 'mpegts'],
      ...['-method', 'PUT', '-tls_verify', '0', url],
    ]);
    let stderr = '';
    this.#child.stderr?.on('data', (bytes) => (stderr += String(bytes)));
    this.ended = new Promise((resolve) => this.#child.once('close', (exitCode) => resolve({ exitCode, stderr })));
  }

  /** As Ctrl-C: ffmpeg sends what it has and closes. */
  async stop(): Promise<Ending> {
    this.#child.kill('SIGINT');
    return this.ended;
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}
