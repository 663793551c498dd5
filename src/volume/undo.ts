import { ReelError, toReelError } from '../errors.ts';

export interface UndoFailure {
  readonly step: string;
  readonly error: string;
}

/** The way back of a multi-step operation: each step that took effect pushes how to take it back. */
export class UndoStack {
  readonly #steps: { readonly step: string; readonly undo: () => Promise<unknown> }[] = [];

  push(step: string, undo: () => Promise<unknown>): void {
    this.#steps.push({ step, undo });
  }

  /** Newest first, each once. A step that cannot be undone does not keep the older ones from being undone. */
  async unwind(): Promise<UndoFailure[]> {
    const failures: UndoFailure[] = [];
    for (let top = this.#steps.pop(); top !== undefined; top = this.#steps.pop()) {
      try {
        await top.undo();
      } catch (error) {
        failures.push({ step: top.step, error: toReelError(error).message });
      }
    }
    return failures;
  }
}

/**
 * Runs `work`; when it throws, what it pushed is undone and the error goes on. What could not be undone is listed in
 * `details.undoFailures`, because then something is left that an admin must look at.
 */
export const withUndo = async <T>(work: (undo: UndoStack) => Promise<T>): Promise<T> => {
  const undo = new UndoStack();
  try {
    return await work(undo);
  } catch (thrown) {
    const undoFailures = await undo.unwind();
    if (undoFailures.length === 0) throw thrown;
    const error = toReelError(thrown);
    const left = `left behind: ${undoFailures.map((failure) => failure.step).join(', ')}`;
    throw new ReelError(error.code, {
      ...error.parts,
      hint: error.parts.hint === undefined ? left : `${error.parts.hint}; ${left}`,
      cause: thrown,
      details: { ...error.details, undoFailures },
    });
  }
};
