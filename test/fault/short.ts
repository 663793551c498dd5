/** The faults that every run of the tests tries: of each operation one call that fails, EIO and ENOSPC in turn, and one program that is replaced. */
import { isExec, kinds } from './control.ts';
import type { Case } from './matrix.ts';

const programs = ['io-error', 'hangs', 'no-space', 'killed'] as const;

/** One of each kind: a container, a mount, a key, the end of a container, a mount for somebody else. */
export const shortOperations = ['create', 'open', 'lock', 'add-key', 'destroy', 'lease-add'] as const;

/** Chooses at another place in each operation, so that together they reach early and late steps; always the same ones. */
export const short = (): ((cases: readonly Case[]) => readonly Case[]) => {
  let turn = 0;
  return (cases) => {
    const errno = turn % 2 === 0 ? 'EIO' : 'ENOSPC';
    const program = programs[turn % programs.length];
    const rows = [
      cases.filter(({ fault, call }) => fault === errno && (call.kinds & kinds.changes) !== 0),
      cases.filter(({ fault, call }) => fault === program && isExec(call.kinds)),
    ];
    const chosen = rows.flatMap((row, index) => {
      const at = Math.floor((row.length * ((3 * turn + 2 * index) % 7)) / 7);
      return row.slice(at, at + 1);
    });
    turn += 1;
    return chosen;
  };
};
