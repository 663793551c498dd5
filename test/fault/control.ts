/** The test's side of fixtures/faults/fault.c: builds it, tells it what to do, and reads what it saw. */
import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { run } from '../../src/exec/run.ts';

const fixtures = path.resolve(import.meta.dirname, '../../fixtures');

/** The bits of `kinds` in fault.c. */
export const kinds = { changes: 1, reads: 2, takesSpace: 4, exec: 8, interruptible: 16 } as const;
const everyKind = kinds.changes | kinds.reads | kinds.exec;
const classOf = (kind: number): number => kind & everyKind;
export const isExec = (kind: number): boolean => (kind & kinds.exec) !== 0;

const errors = { ENOSPC: 28, EIO: 5 } as const;

/**
 * ENOSPC and EIO: the call fails. `stuck`: it never returns. The others are fixtures in the place of a program that is started: one that
 * hangs, dies by a signal, or ends with the words of a full or broken disk.
 */
export type Fault = keyof typeof errors | 'stuck' | 'hangs' | 'killed' | 'io-error' | 'no-space';

/** A call that could have been made to fail. */
export interface SeenCall {
  /** Counted from 1 among the calls of this program that change something, those that only read, or the programs that it starts. */
  readonly number: number;
  /** The last step that was done before it; `start` before the first. */
  readonly step: string;
  readonly kinds: number;
  readonly program: string;
  readonly call: string;
  readonly path: string;
}

/** Offsets in `struct control`. */
const layout = { count: 24, hits: 32, replacement: 40, programs: 552, prefixes: 1064, calls: 3112, size: 3368 };
const mode = { off: 0, trace: 1, inject: 2, interrupt: 3, every: 4 } as const;
const action = { fail: 0, hang: 1, replace: 3 } as const;

export class FaultControl {
  readonly #library: string;
  readonly page: string;
  readonly trace: string;
  readonly #prefixes: readonly string[];

  private constructor(directory: string, prefixes: readonly string[]) {
    this.#library = path.join(directory, 'fault.so');
    this.page = path.join(directory, 'control');
    this.trace = path.join(directory, 'trace');
    this.#prefixes = prefixes;
  }

  /** `directory` is outside `prefixes`: paths below which calls count. Loop devices always do. */
  static async make(directory: string, prefixes: readonly string[]): Promise<FaultControl> {
    const control = new FaultControl(directory, [...prefixes, '/dev/loop']);
    const source = path.join(fixtures, 'faults/fault.c');
    const args = ['-shared', '-fPIC', '-O1', '-o', control.#library, source, '-ldl'];
    await run('gcc', args, { timeoutMs: 60_000 });
    writeFileSync(control.page, Buffer.alloc(4096));
    writeFileSync(control.trace, '');
    return control;
  }

  /** For the environment of the helper, or of the daemon. */
  get environment(): Readonly<Record<string, string>> {
    return { LD_PRELOAD: this.#library, FAULT_CONTROL: this.page, FAULT_TRACE: this.trace };
  }

  /** Notes every call of these kinds, until `off`. */
  watch(): void {
    this.#write(mode.trace, { nth: 0, kinds: everyKind, programs: '' });
  }

  /** Makes a call that was seen fail when it comes again. */
  inject({ number: nth, kinds: kind, program: programs }: SeenCall, fault: Fault): void {
    const which = { nth, programs, kinds: classOf(kind) };
    if (fault === 'ENOSPC' || fault === 'EIO') this.#write(mode.inject, { ...which, error: errors[fault] });
    else if (fault === 'stuck') this.#write(mode.inject, { ...which, action: action.hang });
    else {
      const replacement = path.join(fixtures, `bin/program-${fault}/program`);
      this.#write(mode.inject, { ...which, action: action.replace, replacement });
    }
  }

  /** Each call of `programs` that a signal may interrupt is interrupted once. */
  interrupt(programs: readonly string[]): void {
    this.#write(mode.interrupt, { nth: 0, kinds: kinds.interruptible, programs: programs.join(',') });
  }

  /** Each of these calls fails, on files beneath `prefix` only, until `off`. */
  failEach(calls: readonly string[], prefix: string, error: keyof typeof errors): void {
    const which = { nth: 0, programs: '', kinds: everyKind };
    this.#write(mode.every, { ...which, error: errors[error], calls: calls.join(','), prefixes: [prefix] });
  }

  off(): void {
    const page = openSync(this.page, 'r+');
    writeSync(page, Buffer.alloc(4), 0, 4, 0);
    closeSync(page);
  }

  /** How many calls failed, hung or were replaced since the last order. */
  get hits(): number {
    const page = openSync(this.page, 'r');
    const bytes = Buffer.alloc(8);
    readSync(page, bytes, 0, 8, layout.hits);
    closeSync(page);
    return Number(bytes.readBigUInt64LE());
  }

  /** What was seen since the last order, and which of it was hit. */
  read(): { readonly calls: readonly SeenCall[]; readonly hit: SeenCall | undefined } {
    const calls: SeenCall[] = [];
    const counts = new Map<string, number>();
    let step = 'start';
    let hit: SeenCall | undefined;
    for (const line of readFileSync(this.trace, 'utf8').split('\n')) {
      const [what, first = '', program = '', call = '', ...rest] = line.split(' ');
      if (what === 'step') step = first;
      if (what !== 'call' && what !== 'hit') continue;
      const counted = `${program} ${classOf(Number(first))}`;
      const number = (counts.get(counted) ?? 0) + 1;
      counts.set(counted, number);
      const seen = { number, step, kinds: Number(first), program, call, path: rest.join(' ') };
      calls.push(seen);
      if (what === 'hit') hit = seen;
    }
    return { calls, hit };
  }

  #write(
    how: number,
    order: {
      readonly nth: number;
      readonly kinds: number;
      /** Separated by commas; all where it is empty. */
      readonly programs: string;
      readonly error?: number;
      readonly action?: number;
      readonly replacement?: string;
      /** As `programs`. */
      readonly calls?: string;
      readonly prefixes?: readonly string[];
    },
  ): void {
    const bytes = Buffer.alloc(layout.size);
    bytes.writeUInt32LE(order.action ?? action.fail, 4);
    bytes.writeUInt32LE(order.error ?? 0, 8);
    bytes.writeUInt32LE(order.kinds, 12);
    bytes.writeBigUInt64LE(BigInt(order.nth), 16);
    bytes.write(order.replacement ?? '', layout.replacement);
    bytes.write(order.programs, layout.programs);
    bytes.write(order.calls ?? '', layout.calls);
    for (const [index, prefix] of (order.prefixes ?? this.#prefixes).entries())
      bytes.write(prefix, layout.prefixes + index * 512);
    writeFileSync(this.trace, '');
    const page = openSync(this.page, 'r+');
    writeSync(page, bytes);
    bytes.writeUInt32LE(how, 0);
    writeSync(page, bytes, 0, 4, 0);
    closeSync(page);
  }
}
