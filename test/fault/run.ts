/** Runs faults against every operation on a ground of their own, and counts. */
import type { EngineName } from '../../src/volume/states.ts';
import { Ground } from './ground.ts';
import { allCases, type Case, type Outcome, rehearse, tryCase, tryInterrupts } from './matrix.ts';
import { operationsOn } from './operations.ts';

export interface FaultRun {
  readonly engine: EngineName;
  /** Which of an operation's faults are tried. */
  readonly choose: (cases: readonly Case[], operation: string) => readonly Case[];
  /** Operations by name; all where it is left out. */
  readonly only?: readonly string[] | undefined;
  /** Told of each fault when it was tried. */
  readonly tell?: (outcome: Outcome) => void;
}

export interface Figures {
  readonly injected: number;
  readonly asDocumented: number;
  /** Of those: what the operation did without, or tried again by itself. */
  readonly absorbed: number;
  /** Chosen, but not reached: another way was taken this time. */
  readonly missed: number;
  /** Calls that were interrupted (EINTR), and processes that were stopped and continued. */
  readonly interrupted: number;
  readonly operations: Readonly<Record<string, { readonly injected: number; readonly absorbed: number }>>;
  readonly wrong: readonly Outcome[];
}

export const runFaults = async ({ engine, choose, only, tell = () => {} }: FaultRun): Promise<Figures> => {
  const outcomes: Outcome[] = [];
  let [missed, interrupted] = [0, 0];
  const ground = await Ground.make(engine);
  try {
    for (const operation of await operationsOn(ground)) {
      if (only !== undefined && !only.includes(operation.name)) continue;
      const cases = allCases(ground, await rehearse(ground, operation));
      for (const each of choose(cases, operation.name)) {
        const outcome = await tryCase(ground, operation, each);
        if (outcome === null) {
          missed += 1;
          continue;
        }
        outcomes.push(outcome);
        tell(outcome);
      }
      interrupted += await tryInterrupts(ground, operation);
    }
  } finally {
    await ground.destroy();
  }
  const of = (some: readonly Outcome[]) => ({
    injected: some.length,
    absorbed: some.filter(({ code }) => code === null).length,
  });
  const byName = Map.groupBy(outcomes, ({ operation }) => operation);
  const wrong = outcomes.filter((outcome) => outcome.wrong.length > 0);
  return {
    ...of(outcomes),
    asDocumented: outcomes.length - wrong.length,
    ...{ missed, interrupted, wrong },
    operations: Object.fromEntries([...byName].map(([name, some]) => [name, of(some)])),
  };
};

export const summary = ({ injected, asDocumented, interrupted }: Figures): string =>
  `faults: ${injected} injected, ${asDocumented} as documented; ${interrupted} interruptions`;
