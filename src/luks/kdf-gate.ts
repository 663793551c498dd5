/**
 * Lets one key derivation run at a time in this process: each may take a gigabyte. The order is first come, first served, and
 * a failure of one does not touch the next. Between processes cryptsetup's own `--serialize-memory-hard-pbkdf` does the same.
 */
export class KdfGate {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => {});
    return turn;
  }
}
