/** A real publisher: ffmpeg makes a picture and a tone, encodes them, and pushes MPEG-TS over HTTPS as fast as a camera would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { ReelError } from '../errors.ts';
import { systemPath } from '../exec/environment.ts';

/** Stands in the clear in the service table of the stream: whoever looks for it in the container must not find it. */
export const marker = 'ReelvaultDemoMarker';

export interface PublisherParams {
  /** With its ticket: that is good once, so it may stand in a command line. */
  readonly url: string;
  readonly certificateFile: string;
  /** Media time; endless without. */
  readonly seconds?: number;
}

const argumentsOf = ({ url, certificateFile, seconds }: PublisherParams): string[] => [
  ...['-nostdin', '-hide_banner', '-loglevel', 'error'],
  ...['-re', '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25'],
  ...['-re', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'],
  ...(seconds === undefined ? [] : ['-t', String(seconds)]),
  ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-b:v', '1500k'],
  // A keyframe every two seconds: where the recorder can cut.
  ...['-g', '50', '-keyint_min', '50', '-sc_threshold', '0'],
  ...['-c:a', 'aac', '-b:a', '96k', '-ac', '2'],
  ...['-metadata', `service_name=${marker}`, '-metadata', 'service_provider=reelvault'],
  ...['-f', 'mpegts', '-method', 'PUT', '-tls_verify', '1', '-ca_file', certificateFile, url],
];

export class Publisher {
  readonly #child: ChildProcess;
  readonly #ended: Promise<{ code: number | null; signal: string | null; stderr: string }>;

  constructor(params: PublisherParams) {
    // A session of its own: Ctrl-C at the terminal is for the demo, which ends the publisher in its turn.
    const child = spawn('ffmpeg', argumentsOf(params), {
      env: { PATH: systemPath, LC_ALL: 'C' },
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    let stderr = '';
    child.stderr.on('data', (piece: Buffer) => {
      stderr = (stderr + piece.toString()).slice(-4000);
    });
    this.#ended = once(child, 'close').then(
      ([code, signal]) => ({ code: code as number | null, signal: signal as string | null, stderr }),
      (error: Error) => ({ code: null, signal: null, stderr: error.message }),
    );
  }

  /** Resolves when ffmpeg has sent everything; throws `command-failed` when it failed. */
  async finished(): Promise<void> {
    const { code, signal, stderr } = await this.#ended;
    if (code === 0) return;
    const why = stderr.trim().split('\n').at(-1) ?? '';
    throw new ReelError('command-failed', {
      expected: 'the publisher to send the whole stream',
      got: `${signal ?? `exit code ${code}`}: ${why.replaceAll(/ticket=[\w-]+/g, 'ticket=…')}`,
    });
  }

  /** SIGTERM: ffmpeg ends the stream in order. Idempotent; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await this.#ended;
    clearTimeout(timer);
  }
}
