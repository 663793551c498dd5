/**
 * A recording into an encrypted volume with all writes logged, and everything that was told durable. Three streams; the recorder is killed,
 * its successor recovers their reels and goes on in them; then the hour ends, a session ends and another takes up its reel, everything is
 * finished, and the volume is unmounted.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { must } from '../luksblock/support.ts';
import { type LogEntry, readWriteLog } from '../luksblock/write-log.ts';
import { makeClip } from '../writer/ground.ts';
import { readKernelLog } from './log-writes.ts';
import type { Extent } from './points.ts';
import type { ChildParams, Told } from './recording-child.ts';
import { type Container, makeContainer, openContainer } from './volume.ts';

export interface Recording {
  /** The container as it was when the log began, and its key. */
  readonly start: string;
  readonly key: string;
  readonly log: string;
  readonly entries: readonly LogEntry[];
  readonly journal: readonly Extent[];
  readonly told: readonly Told[];
  readonly clips: ReadonlyMap<string, Buffer>;
}

const hourMs = Date.UTC(2026, 10, 21, 15);
const partMs = 12_000;

/** Each stream looks different, so that none can pass for another. */
const shapes: Readonly<Record<string, readonly string[]>> = {
  'cam-1': [],
  'cam-2': ['-vf', 'hue=h=120', '-b:v', '800k'],
  noise: ['-vf', 'noise=alls=30:allf=t', '-b:v', '4M'],
};

const filesIn = (directory: string) => {
  const at = (name: string): string => path.join(directory, name);
  const files = { start: at('start.luks'), recorded: at('recorded.luks'), key: at('key'), journal: at('journal.json') };
  return { ...files, told: at('told.jsonl'), log: at('log'), kernelLog: at('kernel-log') };
};
type Files = ReturnType<typeof filesIn>;

/** An empty volume, its copy, and the clips: what a recording begins with. */
export const prepare = async (directory: string): Promise<{ files: Files; clips: Record<string, string> }> => {
  await mkdir(directory, { recursive: true });
  const files = filesIn(directory);
  const journal = await makeContainer({ file: files.recorded, key: files.key });
  await must('cp', ['--sparse=always', files.recorded, files.start]);
  await writeFile(files.journal, JSON.stringify(journal));
  const clips: Record<string, string> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    clips[name] = path.join(directory, `${name}.ts`);
    makeClip(clips[name], shape, (2 * partMs) / 1000);
  }
  return { files, clips };
};

type Place = Pick<ChildParams, 'point' | 'uuid' | 'registry' | 'log' | 'told' | 'clips' | 'speed'>;

/** The recorders that take part, one after the other; `marks`: how many lines of `told` there are before the second. */
export const parts = (place: Place): { first: ChildParams; second: (marks: number) => ChildParams } => {
  const startMs = hourMs - partMs * 1.6;
  const common = { ...place, lengthMs: partMs };
  return {
    first: { ...common, from: 0, to: 0.5, startMs, interrupted: false, killed: true, firstMark: 0 },
    second: (firstMark) => ({
      ...{ ...common, from: 0.5, to: 1, startMs: startMs + partMs },
      ...{ interrupted: true, killed: false, firstMark },
    }),
  };
};

export const linesOf = async (file: string): Promise<string[]> =>
  (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');

export const childProgram = path.join(import.meta.dirname, 'recording-child.ts');

/** A program preloaded into the recorder, and its environment. */
export type Preload = Readonly<Record<string, string>>;

const child = (params: ChildParams, preload: Preload): Promise<void> =>
  new Promise((resolve, reject) => {
    const options = { timeout: 120_000, env: { ...process.env, ...preload } };
    execFile(process.execPath, [childProgram, JSON.stringify(params)], options, (error, _out, said) => {
      const asMeant = params.killed ? error?.signal === 'SIGKILL' && error.killed !== true : error === null;
      if (asMeant) resolve();
      else reject(new Error(`the recorder did not end as it should: ${said.slice(-2000)}`, { cause: error }));
    });
  });

/** Records on the userspace engine into a container of its own in `directory`, which is the caller's. */
export const record = async (directory: string, preload: Preload = {}): Promise<Recording> => {
  const { files, clips } = await prepare(directory);
  const container: Container = { file: files.recorded, key: files.key };
  const log = path.join(directory, 'new-log');
  {
    await using stack = new AsyncDisposableStack();
    const opened = await openContainer(stack, container, log);
    const registry = path.join(directory, 'streams.json');
    const place = { ...opened, registry, log: { file: log }, told: files.told, clips, speed: 4 };
    const { first, second } = parts(place);
    await child(first, preload);
    await child(second(0), preload);
  }
  // Last: a directory with a log holds a whole recording.
  await rename(log, files.log);
  return load(directory);
};

/** Whether `load` finds one there. */
export const isRecording = async (directory: string): Promise<boolean> => {
  const found = await must('find', [directory, '-maxdepth', '1', '-name', 'log', '-o', '-name', 'kernel-log']).catch(
    () => '',
  );
  return found !== '';
};

/** The recording in `directory`, of either engine. */
export const load = async (directory: string): Promise<Recording> => {
  const files = filesIn(directory);
  const lines = (await linesOf(files.told)).map((line) => JSON.parse(line) as Told);
  const clips = new Map<string, Buffer>();
  for (const name of Object.keys(shapes)) clips.set(name, await readFile(path.join(directory, `${name}.ts`)));
  const journal = JSON.parse(await readFile(files.journal, 'utf8')) as Extent[];
  const common = { start: files.start, key: files.key, journal, clips };
  const kernel = await readKernelLog(files.kernelLog).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (kernel === undefined) return { ...common, log: files.log, entries: await readWriteLog(files.log), told: lines };
  const told = lines.map((line) => ({ ...line, position: markedAt(kernel.marks, line.position) }));
  return { ...common, log: files.kernelLog, entries: kernel.entries, told };
};

const markedAt = (marks: ReadonlyMap<string, number>, number: number): number => {
  const position = marks.get(`told-${number}`);
  if (position === undefined) throw new Error(`expected the mark told-${number} in the kernel's log`);
  return position;
};
