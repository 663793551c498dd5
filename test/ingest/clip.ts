/** Real transport streams, made once a test process by ffmpeg. */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-clip-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

export interface Clip {
  readonly file: string;
  readonly bytes: Buffer;
  /** Video frames. */
  readonly frames: number;
  readonly seconds: number;
}

const made = new Map<number, Promise<Clip>>();

/** H.264 without B-frames and AAC, 25 frames a second, a keyframe every second. */
export const clip = (seconds: number): Promise<Clip> => {
  const known = made.get(seconds);
  if (known !== undefined) return known;
  const make = async (): Promise<Clip> => {
    const file = path.join(directory, `${seconds}.ts`);
    const video = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25'];
    const audio = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'];
    const encode =
      '-c:v libx264 -preset ultrafast -pix_fmt yuv420p -b:v 1M -maxrate 1M -bufsize 1M -g 25 -keyint_min 25 -sc_threshold 0 -bf 0';
    await run('ffmpeg', [
      '-nostdin',
      '-v',
      'error',
      '-y',
      ...video,
      ...audio,
      '-t',
      String(seconds),
      ...encode.split(' '),
      '-c:a',
      'aac',
      '-b:a',
      '64k',
      '-f',
      'mpegts',
      file,
    ]);
    return { file, bytes: await readFile(file), frames: seconds * 25, seconds };
  };
  const clip = make();
  made.set(seconds, clip);
  return clip;
};

/** Runs ffmpeg or ffprobe to its end; what it printed on stderr must be nothing. */
export const play = async (tool: 'ffmpeg' | 'ffprobe', args: readonly string[]): Promise<string> => {
  const { stdout, stderr } = await run(tool, ['-v', 'error', ...args], { maxBuffer: 1 << 26 });
  if (stderr !== '') throw new Error(`${tool} ${args.join(' ')} printed: ${stderr}`);
  return stdout;
};

/** Video frames that a player decodes from a URL or file, to its end. */
export const countFrames = async (url: string): Promise<number> => {
  const insecure = url.startsWith('https:') ? ['-tls_verify', '0'] : [];
  const show = ['-count_frames', '-select_streams', 'v', '-show_entries', 'stream=nb_read_frames', '-of', 'csv=p=0'];
  return Number.parseInt(await play('ffprobe', [...insecure, ...show, url]), 10);
};

/** Video packets that a player finds. Unlike decoding, this says nothing of a picture that was torn when its publisher was cut off. */
export const countPackets = async (url: string): Promise<number> => {
  const show = ['-count_packets', '-select_streams', 'v', '-show_entries', 'stream=nb_read_packets', '-of', 'csv=p=0'];
  const { stdout } = await run('ffprobe', ['-v', 'fatal', ...show, url]);
  return Number.parseInt(stdout, 10);
};

/** Plays a file in ffplay, in real time and to its end, where nobody sees or hears it. Answers what it complained of. */
export const playThrough = async (file: string): Promise<string> => {
  const env = { ...process.env, SDL_VIDEODRIVER: 'dummy', SDL_AUDIODRIVER: 'dummy' };
  const { stdout, stderr } = await run('ffplay', ['-v', 'error', '-autoexit', file], { env, timeout: 120_000 });
  return (stdout + stderr).trim();
};

export interface Push {
  readonly pid: number;
  /** Exit code and what was printed on stderr. */
  readonly ended: Promise<{ code: number | null; stderr: string }>;
  kill(signal: NodeJS.Signals): void;
}

/** ffmpeg as publishers run it; the arguments go between input and output. */
export const push = (url: string, file: string, args: readonly string[] = []): Push => {
  const child = spawn(
    'ffmpeg',
    ['-nostdin', '-v', 'error', ...args, '-i', file, '-map', '0', '-c', 'copy', '-f', 'mpegts', '-method', 'PUT', url],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString();
  });
  const ended = new Promise<{ code: number | null; stderr: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, stderr }));
  });
  return { pid: child.pid ?? 0, ended, kill: (signal) => child.kill(signal) };
};
