/** Every step of every operation on a volume, each with `kill -9` of each process that has to do with it. */
import assert from 'node:assert/strict';
import type { EngineName } from '../../../src/volume/states.ts';
import { type Point, type Reached, type Victim, victims } from '../../helper/step-plan.ts';
import { Ground } from './ground.ts';
import {
  createVolume,
  destroyVolume,
  lockVolume,
  type Operation,
  type OperationName,
  openVolume,
  operations,
  type Subject,
  write,
} from './operations.ts';

export interface Cell extends Point {
  readonly operation: OperationName;
  readonly victim: Victim;
}

export interface Tally {
  readonly kills: number;
  readonly recovered: number;
  readonly failed: number;
}

export interface MatrixReport extends Tally {
  readonly by: { readonly [operation: string]: { readonly [victim: string]: Tally } };
  readonly failures: readonly string[];
}

export interface MatrixParams {
  readonly engine: EngineName;
  /** Which of an operation's cells are tried. */
  readonly choose: (cells: readonly Cell[]) => readonly Cell[];
  readonly only?: readonly OperationName[];
  readonly say: (line: string) => void;
}

export const nameOf = ({ operation, step, nth, victim }: Cell): string =>
  `${operation}, ${victim} killed after "${step}"${nth === 1 ? '' : ` (${nth})`}`;

/** What a volume that is locked and whole consists of, by `files()`; its name is the same for all of a row. */
type Files = readonly string[];

/** The cells of one operation, on one ground. */
class Row {
  readonly #ground: Ground;
  readonly #operation: Operation;
  readonly #name: string;
  #number = 0;
  #shared: Subject | undefined;
  #files: { readonly without: Files; readonly whole: Files } | undefined;

  constructor(ground: Ground, name: OperationName) {
    this.#ground = ground;
    this.#operation = operations[name];
    this.#name = name.replaceAll(' ', '-');
  }

  /** Runs the operation once, undisturbed; the steps that it takes. */
  async discover(): Promise<Reached[]> {
    const { plan } = this.#ground;
    const without = await this.#ground.files();
    const subject = await this.#begin();
    plan.arm();
    await this.#operation.call(subject);
    const steps = plan.steps();
    await this.#operation.again(subject, await this.#ground.seen(subject.name));
    await this.#operation.tidy?.(subject);
    // What destroys leaves no volume to look at: one more is made for that.
    if ((await this.#ground.seen(subject.name)).state === 'gone') {
      await createVolume(subject);
      subject.written.clear();
    }
    await this.#prove(subject);
    this.#files = { without, whole: await this.#ground.files() };
    if (this.#operation.usesUp) await this.#end(subject);
    return steps;
  }

  /** Throws what is not right. */
  async run({ step, nth, victim }: Cell): Promise<void> {
    const ground = this.#ground;
    const subject = await this.#begin();
    ground.plan.arm({ step, nth, ...ground.killing(victim) });
    await this.#operation.call(subject).catch(() => undefined);
    assert.ok(ground.plan.done, 'the step was not reached');
    await ground.buried(victim);
    await ground.revive();
    const right = this.#operation.right[victim];
    const seen = await ground.settled(subject.name, right[step] ?? right.otherwise);
    await this.#operation.again(subject, seen);
    await this.#operation.tidy?.(subject);
    if ((await ground.seen(subject.name)).state !== 'gone') {
      await this.#prove(subject);
      assert.deepEqual(await ground.files(), this.#files?.whole);
      if (this.#operation.usesUp) await this.#end(subject);
    }
    if (this.#operation.usesUp) assert.deepEqual(await ground.files(), this.#files?.without);
  }

  /** Nothing is left of all of it. */
  async close(): Promise<void> {
    if (this.#shared !== undefined) await this.#end(this.#shared);
    await this.#ground.nothingLeft();
    assert.deepEqual(await this.#ground.files(), this.#files?.without);
  }

  /** A volume in the state that the operation begins in. */
  async #begin(): Promise<Subject> {
    this.#number += 1;
    const { volume, usesUp, from } = this.#operation;
    const subject: Subject = {
      ground: this.#ground,
      name: this.#name,
      written: this.#shared?.written ?? new Map<string, string>(),
      number: this.#number,
    };
    if (volume === undefined) return subject;
    if (this.#shared === undefined || usesUp) await createVolume(subject, volume);
    if (!usesUp) this.#shared ??= subject;
    await openVolume(subject);
    await write(subject, this.#number === 1 ? 'first' : 'last');
    if (from === 'locked') await lockVolume(subject);
    return subject;
  }

  /** It opens, all that was written is there, it takes more, it locks, and nothing is left attached. */
  async #prove(subject: Subject): Promise<void> {
    const { name, written } = subject;
    await lockVolume(subject);
    await this.#ground.nothingLeft();
    await openVolume(subject);
    for (const [file, digest] of written) assert.equal(await this.#ground.read(name, file), digest, `dvr/${file}`);
    await write(subject, 'after');
    await lockVolume(subject);
    await this.#ground.nothingLeft();
  }

  async #end(subject: Subject): Promise<void> {
    await destroyVolume(subject);
    assert.equal((await this.#ground.seen(subject.name)).state, 'gone');
  }
}

const add = (one: Tally | undefined, failed: boolean): Tally => ({
  kills: (one?.kills ?? 0) + 1,
  recovered: (one?.recovered ?? 0) + Number(!failed),
  failed: (one?.failed ?? 0) + Number(failed),
});

/** One operation after the other, on one ground. A cell that fails leaves one that nobody trusts: the next begins on a new one. */
class Matrix {
  readonly #params: MatrixParams;
  readonly #by: Record<string, Record<string, Tally>> = {};
  readonly #failures: string[] = [];
  #total: Tally = { kills: 0, recovered: 0, failed: 0 };
  #ground: Ground | undefined;

  constructor(params: MatrixParams) {
    this.#params = params;
  }

  get report(): MatrixReport {
    return { ...this.#total, by: this.#by, failures: this.#failures };
  }

  async run(operation: OperationName): Promise<void> {
    let { row, steps } = await this.#begin(operation);
    const cells = steps.flatMap(({ step, nth, plane }) =>
      victims
        .filter((victim) => victim !== 'luksblock' || plane)
        .map((victim): Cell => ({ operation, step, nth, victim })),
    );
    assert.ok(cells.length > 0, `${operation} takes no step`);
    for (const cell of this.#params.choose(cells)) {
      if (this.#ground === undefined) ({ row, steps } = await this.#begin(operation));
      await this.#try(row, cell);
    }
    if (this.#ground !== undefined) await row.close();
  }

  async close(): Promise<void> {
    await this.#ground?.close();
    this.#ground = undefined;
  }

  async #begin(operation: OperationName): Promise<{ row: Row; steps: Reached[] }> {
    this.#ground ??= await Ground.make(this.#params.engine);
    const row = new Row(this.#ground, operation);
    return { row, steps: await row.discover() };
  }

  async #try(row: Row, cell: Cell): Promise<void> {
    const { operation, victim } = cell;
    const began = performance.now();
    const failure = await row.run(cell).then(
      () => undefined,
      (error: Error) => error,
    );
    const took = `${Math.round(performance.now() - began)} ms`;
    this.#params.say(`${nameOf(cell)}: ${failure === undefined ? 'recovered' : 'FAILED'}, ${took}`);
    this.#total = add(this.#total, failure !== undefined);
    this.#by[operation] = {
      ...this.#by[operation],
      [victim]: add(this.#by[operation]?.[victim], failure !== undefined),
    };
    if (failure === undefined) return;
    this.#failures.push(`${nameOf(cell)}: ${failure.message}`);
    this.#params.say(failure.stack ?? failure.message);
    await this.close();
  }
}

export const runMatrix = async (params: MatrixParams): Promise<MatrixReport> => {
  const matrix = new Matrix(params);
  try {
    for (const operation of params.only ?? (Object.keys(operations) as OperationName[])) await matrix.run(operation);
    return matrix.report;
  } finally {
    await matrix.close();
  }
};

/** A line for each operation, a column for each victim. */
export const tableOf = ({ by, kills, recovered, failed }: MatrixReport): string => {
  const cell = (tally: Tally | undefined): string =>
    tally === undefined ? '-' : tally.failed === 0 ? String(tally.kills) : `${tally.kills} (${tally.failed} failed)`;
  const lines = Object.entries(by).map(([operation, row]) =>
    [operation.padEnd(12), ...victims.map((victim) => cell(row[victim]).padStart(10))].join(' '),
  );
  const head = ['kill -9 of'.padEnd(12), ...victims.map((victim) => victim.padStart(10))].join(' ');
  return [head, ...lines, `crash matrix: ${kills} kills, ${recovered} recovered, ${failed} failed`].join('\n');
};
