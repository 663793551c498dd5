/** What is not as it should be with an open volume that goes on being one. */

export type ConditionKind = 'host-space' | 'volume-space' | 'storage-stalled' | 'filesystem-errors' | 'unusable';

export interface Condition {
  readonly kind: ConditionKind;
  /** ISO 8601. */
  readonly since: string;
  readonly message: string;
  readonly nextStep: string;
  /** Recording into the volume waits until it is over; playback goes on. */
  readonly pausesRecording: boolean;
}

export interface ConditionChange {
  readonly condition: Condition;
  readonly active: boolean;
}

/** The conditions of one volume, each with the time since when. */
export class Conditions {
  readonly #now: () => number;
  #active: readonly Condition[] = [];

  /** `now`: Unix milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get list(): readonly Condition[] {
    return this.#active;
  }

  has(kind: ConditionKind): boolean {
    return this.#active.some((condition) => condition.kind === kind);
  }

  /** Takes over what holds now; the answer is what began and what ended. A message that changes alone is no change. */
  become(found: readonly Omit<Condition, 'since'>[]): ConditionChange[] {
    const before = this.#active;
    this.#active = found.map((condition) => ({
      since: before.find(({ kind }) => kind === condition.kind)?.since ?? new Date(this.#now()).toISOString(),
      ...condition,
    }));
    const ended = before.filter(({ kind }) => !this.has(kind)).map((condition) => ({ condition, active: false }));
    const begun = this.#active
      .filter(({ kind }) => !before.some((condition) => condition.kind === kind))
      .map((condition) => ({ condition, active: true }));
    return [...ended, ...begun];
  }
}
