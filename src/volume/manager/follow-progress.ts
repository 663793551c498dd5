import type { HelperClient } from '../../helper/client.ts';
import type { Progress } from '../progress.ts';
import { repeat } from '../repeat.ts';
import type { VolumeEvent } from './hooks.ts';
import type { ManagedVolume } from './managed-volume.ts';

export interface FollowProgress {
  readonly helper: HelperClient;
  readonly name: string;
  /** Hears of each new step, and null at the end. */
  readonly onChange: (progress: Progress | null) => void;
  readonly intervalMs?: number;
}

/** Runs `work`, a call of the helper that may take minutes, and asks beside it how far it is. What cannot be asked is not told. */
export const followProgress = async <T>(
  { helper, name, onChange, intervalMs = 500 }: FollowProgress,
  work: () => Promise<T>,
): Promise<T> => {
  let last: Progress | null = null;
  const end = repeat(intervalMs, async () => {
    const asked = await helper.call({ verb: 'progress', name }).catch(() => undefined);
    if (asked === undefined || asked.result.progress === null) return;
    last = asked.result.progress;
    onChange(last);
  });
  try {
    return await work();
  } finally {
    await end();
    if (last !== null) onChange(null);
  }
};

/** Tells how far a long call of the helper about a volume is, in the volume's view and as events. */
export const tellProgress = <T>(
  { volume, helper, tell }: { volume: ManagedVolume; helper: HelperClient; tell: (event: VolumeEvent) => void },
  work: () => Promise<T>,
): Promise<T> => {
  const { name } = volume.record;
  const onChange = (progress: Progress | null): void => {
    const known = volume.running;
    volume.running = progress;
    if (progress === null || progress.step === known?.step) return;
    tell({ type: 'volume.progress', volume: name, ...progress });
  };
  return followProgress({ helper, name, onChange }, work);
};
