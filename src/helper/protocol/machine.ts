import { Type } from 'typebox';
import type { Progress } from '../../volume/progress.ts';
import type { EngineName } from '../../volume/states.ts';
import { minute, name, none, strict } from './parts.ts';

/** Questions about the machine: they wait for no volume. */
export const machineVerbs = {
  /** Which engines work on this machine. */
  probe: { schema: Type.Object({ verb: Type.Literal('probe') }, strict), secrets: none, timeoutMs: minute },
  /** How far what is running on a volume has come. */
  progress: { schema: Type.Object({ verb: Type.Literal('progress'), name }, strict), secrets: none, timeoutMs: minute },
} as const;

export type EngineProbe = { readonly usable: true } | { readonly usable: false; readonly reason: string };

export interface ProbeReport {
  readonly engines: Readonly<Record<EngineName, EngineProbe>>;
  readonly datapath: readonly string[];
  readonly pid: number;
}

export interface MachineResults {
  readonly probe: ProbeReport;
  readonly progress: { readonly progress: Progress | null };
}
