/**
 * Reads the log of the kernel's target dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst) as a write log. The kernel logs
 * a write when a flush that came after it has ended, so all of a group up to its flush were under way together; a write past the cache (FUA)
 * stands where it ended, and is on the disk there.
 */
import { open } from 'node:fs/promises';
import type { LogEntry } from '../luksblock/write-log.ts';

const magic = 0x6a736677736872n;
const flags = { flush: 1, fua: 2, discard: 4, mark: 8 } as const;
const headBytes = 32;

export interface KernelLog {
  readonly entries: readonly LogEntry[];
  /** Marks by name: the position that whoever set one had seen of the log. */
  readonly marks: ReadonlyMap<string, number>;
}

class Builder {
  readonly entries: LogEntry[] = [];
  readonly marks = new Map<string, number>();

  /** A position counts entries here: nobody has the file's length for one. */
  #add(kind: LogEntry['kind'], where: number, length = 0, data = 0): number {
    const sequence = this.entries.length;
    this.entries.push({ sequence, kind, error: 0, where, length, data, end: sequence + 1 });
    return sequence;
  }

  write(where: number, length: number, data: number): void {
    this.#add('writeEnded', this.#add('write', where, length, data));
  }

  flush(): void {
    this.#add('flushEnded', this.#add('flush', 0));
  }

  mark(name: string): void {
    this.marks.set(name, this.entries.length);
  }
}

/** Throws where the file is no such log, or has what a disk under a volume never gets. */
export const readKernelLog = async (file: string): Promise<KernelLog> => {
  await using handle = await open(file, 'r');
  const read = async (at: number, length: number): Promise<Buffer> =>
    (await handle.read(Buffer.alloc(length), 0, length, at)).buffer;
  const head = await read(0, headBytes);
  if (head.readBigUInt64LE(0) !== magic || head.readBigUInt64LE(8) !== 1n)
    throw new Error(`${file}: expected a log of dm-log-writes, version 1`);
  const unit = head.readUInt32LE(24);
  const log = new Builder();
  let at = unit;
  for (let left = Number(head.readBigUInt64LE(16)); left > 0; left -= 1) {
    const entry = await read(at, unit);
    const [where, length, flag, named] = [0, 8, 16, 24].map((place) => Number(entry.readBigUInt64LE(place))) as [
      ...[number, number, number, number],
    ];
    at += unit;
    if ((flag & flags.discard) !== 0) throw new Error(`${file}: expected no discards`);
    if ((flag & flags.mark) !== 0) log.mark(entry.toString('utf8', headBytes, headBytes + named).replace(/\0$/, ''));
    if ((flag & flags.flush) !== 0) log.flush();
    if (length > 0) log.write(where * unit, length * unit, at);
    // Nothing else is under way in the log here: what was is behind it, before the flush that it waits for.
    if ((flag & flags.fua) !== 0) log.flush();
    at += length * unit;
  }
  return { entries: log.entries, marks: log.marks };
};
