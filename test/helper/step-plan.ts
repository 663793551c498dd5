/**
 * Where `kill -9` strikes: a test writes into a directory which process is to be killed after which step, and the helper of the tests looks
 * there at each step of docs/volumes.md and kills it, before it takes the next one. The steps that were reached are in `reached`.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export const victims = ['daemon', 'helper', 'luksblock'] as const;
export type Victim = (typeof victims)[number];

/** The `nth` time, from 1 on, that an operation reaches this step. */
export interface Point {
  readonly step: string;
  readonly nth: number;
}

export interface Kill extends Point {
  /** Undefined: the helper itself. */
  readonly pid?: number;
  /** In place of `pid`: every luksblock whose command line names something below this directory. */
  readonly planesOf?: string;
}

/** A step that was reached, and whether a luksblock ran then. */
export interface Reached extends Point {
  readonly plane: boolean;
}

/** Process ids of luksblock over containers below `root`, read at once; one that is dead and not yet reaped does not count. */
export const planesBelow = (root: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return line.split('\0')[0]?.endsWith('/luksblock') === true && line.includes(`${root}/`);
      } catch {
        return false;
      }
    });

const isAlive = (pid: number): boolean => {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

/** Resolves nothing before the process is gone: what comes after the step must not run beside it. */
const killWholly = (pid: number): void => {
  process.kill(pid, 'SIGKILL');
  const tick = new Int32Array(new SharedArrayBuffer(4));
  while (isAlive(pid)) Atomics.wait(tick, 0, 0, 2);
};

/** The test's side. */
export class StepPlan {
  readonly directory: string;
  readonly #armed: string;
  readonly #reached: string;

  constructor(directory: string) {
    this.directory = directory;
    this.#armed = path.join(directory, 'armed');
    this.#reached = path.join(directory, 'reached');
    mkdirSync(directory, { recursive: true });
    this.arm();
  }

  /** From now on steps are counted anew; without `kill` they are only noted. */
  arm(kill?: Kill): void {
    renameSync(this.#write('none', ''), this.#reached);
    renameSync(this.#write('next', kill === undefined ? '' : JSON.stringify(kill)), this.#armed);
  }

  /** Whether the armed kill has been done. */
  get done(): boolean {
    return readFileSync(this.#armed, 'utf8') === '';
  }

  /** Since it was armed. */
  steps(): Reached[] {
    const counts = new Map<string, number>();
    const lines = readFileSync(this.#reached, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => {
      const [step = '', planes] = line.split(' ');
      counts.set(step, (counts.get(step) ?? 0) + 1);
      return { step, nth: counts.get(step) ?? 0, plane: planes !== '0' };
    });
  }

  #write(name: string, text: string): string {
    const file = path.join(this.directory, name);
    writeFileSync(file, text);
    return file;
  }
}

/** The helper's side, called after each step. `root` is where the luksblock processes lie that are noted. */
export const followPlan = (directory: string, root: string, step: string): void => {
  const [armed, reached] = [path.join(directory, 'armed'), path.join(directory, 'reached')];
  appendFileSync(reached, `${step} ${planesBelow(root).length}\n`);
  const text = existsSync(armed) ? readFileSync(armed, 'utf8') : '';
  if (text === '') return;
  const { pid, planesOf, ...point } = JSON.parse(text) as Kill;
  const nth = readFileSync(reached, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${step} `)).length;
  if (step !== point.step || nth !== point.nth) return;
  writeFileSync(armed, '');
  if (planesOf !== undefined) for (const plane of planesBelow(planesOf)) killWholly(plane);
  else if (pid !== undefined) killWholly(pid);
  else process.kill(process.pid, 'SIGKILL');
};
