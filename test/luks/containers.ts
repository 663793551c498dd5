/** Containers for tests: small sparse files, and a key derivation that is only fit for tests. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Pbkdf } from '../../src/luks/types.ts';

export const fastPbkdf: Pbkdf = { type: 'pbkdf2', iterations: 1_000 };

export class TestDirectory {
  readonly path = mkdtempSync(path.join(tmpdir(), 'luks-'));
  #next = 0;

  /** A new path in the directory. */
  name(): string {
    this.#next += 1;
    return path.join(this.path, `file-${this.#next}`);
  }

  blank(mebibytes = 20): string {
    const file = this.name();
    writeFileSync(file, '');
    truncateSync(file, mebibytes << 20);
    return file;
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }
}
