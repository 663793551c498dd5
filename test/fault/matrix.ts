/** Faults at each step of each operation: which there are, how one is tried, and what has to hold after it. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ReelError, toReelError } from '../../src/errors.ts';
import { type Fault, isExec, kinds, type SeenCall } from './control.ts';
import type { Census, Ground } from './ground.ts';
import type { Operation } from './operations.ts';

/** One fault at one call of an operation. */
export interface Case {
  readonly call: SeenCall;
  readonly fault: Fault;
}

export interface Outcome {
  readonly operation: string;
  readonly step: string;
  readonly fault: Fault;
  /** Program, call and path that failed. */
  readonly at: string;
  /** Code of the error; null where the operation did without what failed, or tried it again itself. */
  readonly code: string | null;
  readonly message: string | null;
  /** What is not as documented; empty where all is. */
  readonly wrong: readonly string[];
}

const codes: Readonly<Record<Fault, readonly string[]>> = {
  ENOSPC: ['no-space'],
  'no-space': ['no-space'],
  EIO: ['io-error'],
  'io-error': ['io-error'],
  stuck: ['command-timeout'],
  hangs: ['command-timeout'],
  killed: ['command-failed'],
};
/** cryptsetup keeps no errno, and what luksblock says reaches a program over a block device, which knows EIO alone. */
const withoutErrno: readonly string[] = ['cryptsetup', 'luksblock'];

/** Looks whether the block plane answers. No answer is the answer, whatever kept it away: the volume is in pieces until an open or a lock. */
const looksAtPlane = ({ program, call, path }: SeenCall): boolean =>
  program === 'cat' || (call === 'exec' && (path === 'cat' || path === 'dd'));

/** The start of what rewrites a container, which goes on when the call has long been answered. */
const startsRewriting = ({ step, call, path }: SeenCall): boolean =>
  step === 'reencrypt-backup' && call === 'exec' && path === 'cryptsetup';

/** How it ended is told by the question how far it is, or by the look at the header that follows. */
const rewrites = (seen: SeenCall): boolean =>
  startsRewriting(seen) || (seen.step === 'reencrypt-running' && seen.program === 'cryptsetup');

/** The codes with which an operation may answer a fault. */
const codesOf = (fault: Fault, call: SeenCall): readonly string[] => {
  if (looksAtPlane(call) || fault === 'stuck') return [...codes[fault], 'io-error', 'volume-state', 'block-plane-died'];
  return rewrites(call) ? ['reencryption-unfinished', 'luks-damaged'] : codesWithout(fault, call);
};

const codesWithout = (fault: Fault, { program }: SeenCall): readonly string[] =>
  fault === 'ENOSPC' && withoutErrno.includes(program) ? ['no-space', 'io-error'] : codes[fault];

const programFaults = ['io-error', 'no-space', 'hangs', 'killed'] as const;

const faultsAt = (call: SeenCall): Fault[] => {
  const { kinds: kind, program } = call;
  // It has no time limit: its work takes hours.
  if (isExec(kind)) return programFaults.filter((fault) => fault !== 'hangs' || !startsRewriting(call));
  const own: Fault[] = program === 'luksblock' ? ['stuck'] : [];
  return (kind & kinds.takesSpace) !== 0 ? ['EIO', 'ENOSPC', ...own] : ['EIO', ...own];
};

/** Each call once for each step: of many writes of one program to one file the first and the last. */
export const allCases = (ground: Ground, calls: readonly SeenCall[]): Case[] => {
  const groups = new Map<string, SeenCall[]>();
  for (const call of calls) {
    const key = [call.step, call.program, call.call, ground.plain(call.path)].join(' ');
    groups.set(key, [...(groups.get(key) ?? []), call]);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    const last = group.at(-1);
    const ends = first === undefined || last === undefined ? [] : first === last ? [first] : [first, last];
    return ends.flatMap((call) => faultsAt(call).map((fault) => ({ call, fault })));
  });
};

/** What an operation does, call by call, when nothing fails. */
export const rehearse = async (ground: Ground, operation: Operation): Promise<readonly SeenCall[]> => {
  await operation.prepare();
  ground.control.watch();
  await operation.act();
  ground.control.off();
  const { calls } = ground.control.read();
  await operation.prove();
  return calls;
};

/** A block plane that serves is cut off by the watch, which is sooner than any time limit; one that never came to serve is left to the limit. */
const patienceMs = { hangs: 100, stuck: 7_000 } as const;

/** Lets the time limits run out once the fault is there: whoever waits for what hangs would otherwise wait for minutes. */
const endLimits = async (ground: Ground, fault: 'hangs' | 'stuck', over: () => boolean): Promise<void> => {
  while (!over()) {
    if (ground.control.hits > 0) {
      const deadline = Date.now() + patienceMs[fault];
      while (!over() && Date.now() < deadline) await sleep(50);
      if (!over()) process.kill(ground.helper.pid, 'SIGUSR2');
      return;
    }
    await sleep(10);
  }
};

const attempt = async (work: () => Promise<void>): Promise<ReelError | undefined> =>
  work().then(
    () => undefined,
    (error: unknown) => toReelError(error),
  );

const differences = (before: Census, after: Census, mayLeave: RegExp | undefined): string[] => {
  const wrong: string[] = [];
  for (const what of ['loops', 'mounts', 'processes', 'files'] as const) {
    const left = after[what].filter((each) => !before[what].includes(each) && mayLeave?.test(each) !== true);
    const gone = before[what].filter((each) => !after[what].includes(each) && mayLeave?.test(each) !== true);
    if (left.length > 0) wrong.push(`left ${what}: ${left.join(', ')}`);
    if (gone.length > 0) wrong.push(`lost ${what}: ${gone.join(', ')}`);
  }
  return wrong;
};

/**
 * What is there after a failure. The watch asks the planes, too, and nobody waits for the end of its question: what hangs in the place of that
 * one is killed some seconds later.
 */
const censusAfter = async (ground: Ground, call: SeenCall, before: Census): Promise<Census> => {
  const deadline = Date.now() + 10_000;
  let after = await ground.census();
  while (looksAtPlane(call) && after.processes.length > before.processes.length && Date.now() < deadline) {
    await sleep(50);
    after = await ground.census();
  }
  return after;
};

/** Tries one fault. Throws where the ground cannot be used any more. */
export const tryCase = async (ground: Ground, operation: Operation, { call, fault }: Case): Promise<Outcome | null> => {
  const { control } = ground;
  await operation.prepare();
  const before = await ground.census();
  control.inject(call, fault);
  let over = false;
  const limits = fault === 'hangs' || fault === 'stuck' ? endLimits(ground, fault, () => over) : Promise.resolve();
  const error = await attempt(() => operation.act());
  over = true;
  await limits;
  control.off();
  const { hit } = control.read();
  // The question of the watch, which may have been hit in place of the operation's, would hang for half a minute and keep its pipes.
  if (fault === 'hangs' && hit !== undefined && looksAtPlane(hit)) {
    process.kill(ground.helper.pid, 'SIGUSR2');
    // A call on its way has a time limit, too: this one may lose its connection, and the signal is over with it.
    await attempt(async () => void (await ground.state('v')));
  }
  const wrong: string[] = [];
  if (error !== undefined) {
    if (!codesOf(fault, hit ?? call).includes(error.code)) wrong.push(`the code ${error.code}`);
    const undone = operation.mayLeave !== false && operation.thereAfter?.includes(hit?.step ?? '') !== true;
    if (undone) {
      const after = await censusAfter(ground, hit ?? call, before);
      const found = differences(before, after, operation.mayLeave || undefined);
      // a plane that was in use and hung is gone, with what lay on it
      wrong.push(...found.filter((each) => fault !== 'stuck' || !each.startsWith('lost')));
    }
    if (hit === undefined) wrong.push('a failure without a fault');
    let again = await attempt(() => operation.act());
    // A header that was half written has one whole copy; docs/headers.md says who repairs the other one, and that nothing is changed before.
    if (again?.code === 'luks-damaged' && operation.header !== undefined && (hit ?? call).program === 'cryptsetup') {
      await ground.repair(operation.header);
      again = await attempt(() => operation.act());
    }
    if (again !== undefined) wrong.push(`the same call again: ${again.code}: ${again.message}`);
  }
  if (fault === 'stuck') await operation.cutOff?.();
  const proof = await attempt(() => operation.prove());
  if (proof !== undefined) wrong.push(`afterwards: ${proof.message}`);
  const more = await ground.moreDescriptors();
  if (more > 0) wrong.push(`${more} descriptors more in the helper`);
  if (hit === undefined && wrong.length === 0) return null;
  const { step, program, call: name, path } = hit ?? call;
  const at = `${program} ${name} ${ground.plain(path)}`;
  const told = { code: error?.code ?? null, message: error?.message ?? null };
  return { operation: operation.name, step, fault, at, ...told, wrong };
};

/** Stops and continues what the helper has started, and the block plane of `v`, again and again until it is over. */
const stopAndGo = async (ground: Ground, over: () => boolean): Promise<number> => {
  const plane = (await ground.call({ verb: 'inspect', name: 'v', descriptor: false })).result.blockPid;
  const signal = (pid: number, name: NodeJS.Signals): void => {
    try {
      process.kill(pid, name);
    } catch {
      // it has ended
    }
  };
  let stops = 0;
  while (!over()) {
    const pids = [...(await ground.children()), ...(plane === null ? [] : [plane])];
    for (const pid of pids) signal(pid, 'SIGSTOP');
    await sleep(5);
    for (const pid of pids) signal(pid, 'SIGCONT');
    stops += pids.length;
    await sleep(15);
  }
  return stops;
};

/**
 * Each call of our own programs that a signal may interrupt is interrupted once (EINTR), and all programs are stopped and continued while
 * they work: nobody may notice. cryptsetup and the others only use files and block devices, whose calls Linux does not interrupt.
 */
export const tryInterrupts = async (ground: Ground, operation: Operation): Promise<number> => {
  await operation.prepare();
  let over = false;
  const stops = stopAndGo(ground, () => over);
  ground.control.interrupt(['node', 'luksblock', 'lease-mount', 'unmount-copy']);
  const error = await attempt(() => operation.act());
  over = true;
  const { hits } = ground.control;
  ground.control.off();
  assert.equal(error?.message, undefined, `${operation.name}, interrupted`);
  await operation.prove();
  return hits + (await stops);
};
