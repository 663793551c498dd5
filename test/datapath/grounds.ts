/** A directory with a jail inside and secrets outside of it, and every known way that leads from one to the other. */
import { mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const secret = 'outside-secret';

export class Grounds {
  readonly top = mkdtempSync(path.join(tmpdir(), 'jail-'));
  readonly inside = path.join(this.top, 'inside');
  readonly outside = path.join(this.top, 'outside');

  constructor() {
    mkdirSync(path.join(this.inside, 'dir/deep'), { recursive: true });
    mkdirSync(this.outside);
    writeFileSync(path.join(this.outside, 'file'), secret);
    writeFileSync(path.join(this.inside, 'file'), 'inside');
    writeFileSync(path.join(this.inside, 'dir/file'), 'inside');
    symlinkSync('../outside', path.join(this.inside, 'relative'));
    symlinkSync(this.outside, path.join(this.inside, 'absolute'));
    symlinkSync('../outside/file', path.join(this.inside, 'to-file'));
    symlinkSync('/proc/self/root', path.join(this.inside, 'magic'));
    symlinkSync('dir', path.join(this.inside, 'harmless'));
    symlinkSync('loop', path.join(this.inside, 'loop'));
  }

  /** The descriptor of the inside; the caller closes it. */
  open(): number {
    return openSync(this.inside, 'r');
  }

  remove(): void {
    rmSync(this.top, { recursive: true });
  }
}
