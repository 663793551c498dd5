/**
 * `npm run powercut -- [--points 1000] [--engine userspace|kernel] [--seed N] [--keep DIR] [--json]`: progress and findings on stderr, the
 * counts as one JSON object as the last line; without `--json` it has more of them. Exit code 1 when anything was lost, wrong or damaged. The
 * kernel engine records in the virtual machine of the tests. With `--keep` the recording stays in DIR, and is used
 * again if it is there already: with the same seed and number of points, the points are the same. Ctrl-C ends it after the point that is
 * being tried, with the figures so far.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { missingForVm } from '../vm/vm.ts';
import { recordInKernel } from './kernel-recording.ts';
import { cutPower, isGood } from './powercut.ts';
import { isRecording, load, type Recording, record } from './recording.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    points: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'string' },
    engine: { type: 'string', default: 'userspace' },
  },
});
const wholeNumber = (name: string, text: string): number => {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  process.stderr.write(`Expected a number from 1 on for ${name}, got "${text}"\n`);
  process.exit(2);
};
const count = wholeNumber('--points', values.points);
const seed = wholeNumber('--seed', values.seed);
const recorders: Readonly<Record<string, (directory: string) => Promise<Recording>>> = {
  userspace: (directory) => record(directory),
  kernel: recordInKernel,
};
const { engine } = values;
const recorder = recorders[engine];
if (recorder === undefined) {
  process.stderr.write(`Expected userspace or kernel for --engine, got "${engine}"\n`);
  process.exit(2);
}
const missing = engine === 'kernel' ? await missingForVm() : undefined;
if (missing !== undefined) {
  process.stderr.write(`The virtual machine of the kernel engine needs ${missing}\n`);
  process.exit(2);
}
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const end = new AbortController();
process.once('SIGINT', () => end.abort());

const directory = await mkdtemp(path.join(tmpdir(), 'reelvault-powercut-'));
try {
  const kept = values.keep ?? path.join(directory, 'recording');
  const there = await isRecording(kept);
  say(there ? `the recording in ${kept}` : `recording, ${engine} engine`);
  const recording = await (there ? load(kept) : recorder(kept));
  const told = recording.told.reduce((sum, { segments }) => sum + segments.length, 0);
  say(`${recording.entries.length} entries in the write log, ${told} segments told durable`);
  const figures = await cutPower({ recording, count, seed, directory, say, signal: end.signal });
  const { points, acknowledged_lost, wrong_bytes, fsck_failed } = figures;
  const last = values.json === true ? { points, acknowledged_lost, wrong_bytes, fsck_failed } : figures;
  if (values.json === true) say(JSON.stringify(figures));
  process.stdout.write(`${JSON.stringify(last)}\n`);
  if (!isGood(figures)) process.exitCode = 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}
