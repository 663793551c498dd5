/** Cuts the power at many places of a recording, and counts what is lost, wrong or damaged afterwards. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { CutDisk } from './disk.ts';
import { type Acknowledged, judge, Truth, type Verdict } from './judge.ts';
import { choosePoints, type Point, survivorsOf } from './points.ts';
import { attachRecorder } from './recorder.ts';
import type { Recording } from './recording.ts';
import { openContainer } from './volume.ts';

export interface PowercutReport {
  readonly points: number;
  /** Segments that had been told durable and were not served with their bytes, over all points. */
  readonly acknowledged_lost: number;
  /** Segments that were served with other bytes than were sent, over all points. */
  readonly wrong_bytes: number;
  /** Points after which the volume could not be checked without a finding, mounted and proven to be the one. */
  readonly fsck_failed: number;
}

export interface Figures extends PowercutReport {
  readonly flushes: number;
  /** Points at which writes under way were on the disk in part. */
  readonly torn: number;
  /** Of these, writes of the filesystem's journal. */
  readonly tornJournal: number;
  /** Segments that had been told durable, and those that were served, over all points. */
  readonly due: number;
  readonly served: number;
  readonly seconds: number;
}

export interface PowercutParams {
  readonly recording: Recording;
  readonly count: number;
  readonly seed: number;
  /** For two images and what is opened; the caller's. */
  readonly directory: string;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** The place of the log before its first entry that was not whole yet when the log had this length. */
const placeAt = ({ entries }: Recording, position: number): number => {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.end ?? 0) > position) high = middle;
    else low = middle + 1;
  }
  return low;
};

class Trials {
  readonly #params: PowercutParams;
  readonly #truth: Truth;
  readonly #due: readonly (Acknowledged & { place: number })[];

  constructor(params: PowercutParams) {
    this.#params = params;
    this.#truth = new Truth(params.recording);
    this.#due = this.#truth.acknowledged.map((one) => ({ ...one, place: placeAt(params.recording, one.position) }));
  }

  due(cut: number): readonly Acknowledged[] {
    return this.#due.filter(({ place }) => place <= cut);
  }

  /** Opens what the disk holds. The error says why that did not succeed; the disk is as it was before afterwards. */
  async open(disk: CutDisk, point: Point): Promise<Verdict | Error> {
    const { recording, directory } = this.#params;
    const log = path.join(directory, 'trial.log');
    const container = { file: disk.trial, key: recording.key };
    const registry = path.join(directory, 'trial-streams.json');
    const now = (): number => Date.UTC(2026, 10, 21, 16);
    await using stack = new AsyncDisposableStack();
    const opened = await openContainer(stack, container, log).catch((error: Error) => error);
    if (opened instanceof Error) return opened;
    await using attached = await attachRecorder({ ...opened, registry, commitIntervalMs: 1000, now });
    return await judge(attached.recorder, this.#truth, this.due(point.cut), [...recording.clips.keys()]);
  }
}

export const cutPower = async (params: PowercutParams): Promise<Figures> => {
  const { recording, count, seed, directory, say, signal } = params;
  const { entries, start, log, journal } = recording;
  const trials = new Trials(params);
  const places = recording.told.map(({ position }) => placeAt(recording, position));
  const points = choosePoints(recording, places, count, seed);
  const flushes = entries.filter(({ kind }) => kind === 'flushEnded').length;
  const sum = {
    points: 0,
    acknowledged_lost: 0,
    wrong_bytes: 0,
    fsck_failed: 0,
    flushes,
    torn: 0,
    tornJournal: 0,
    due: 0,
    served: 0,
  };
  const began = performance.now();
  using disk = new CutDisk({ start, log, entries, directory });
  for (const [index, point] of points.entries()) {
    if (signal?.aborted === true) break;
    const pending = disk.advance(point.cut);
    const { pieces, torn, tornJournal } = survivorsOf(point, pending, journal);
    disk.survive(pieces);
    const verdict = await trials.open(disk, point);
    await disk.restore(pieces, path.join(directory, 'trial.log'));
    await rm(path.join(directory, 'trial.log'));
    sum.points += 1;
    sum.torn += Number(torn);
    sum.tornJournal += Number(tornJournal);
    sum.due += trials.due(point.cut).length;
    const where = `point ${index} (seed ${seed}, before entry ${point.cut}, ${point.choice})`;
    if (verdict instanceof Error) {
      sum.fsck_failed += 1;
      say(`${where}: ${verdict.message}`);
      continue;
    }
    for (const line of [...verdict.lost, ...verdict.wrong]) say(`${where}: ${line}`);
    sum.acknowledged_lost += verdict.lost.length;
    sum.wrong_bytes += verdict.wrong.length;
    sum.served += verdict.served;
    if ((index + 1) % 50 === 0) say(`${index + 1} points, ${Math.round((performance.now() - began) / 1000)} s`);
  }
  return { ...sum, seconds: Math.round((performance.now() - began) / 100) / 10 };
};

/** Nothing lost, wrong or damaged. */
export const isGood = ({ acknowledged_lost, wrong_bytes, fsck_failed }: PowercutReport): boolean =>
  acknowledged_lost + wrong_bytes + fsck_failed === 0;
