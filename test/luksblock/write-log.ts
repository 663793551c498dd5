/** Reads the write log of a block plane (docs/luksblock.md, "Write log"). */
import { open } from 'node:fs/promises';

const magic = 'RVWLOG01';
const headBytes = 32;
const kinds = ['', 'write', 'writeEnded', 'flush', 'flushEnded'] as const;

export type LogKind = Exclude<(typeof kinds)[number], ''>;

export interface LogEntry {
  /** From 0, without a gap. */
  readonly sequence: number;
  readonly kind: LogKind;
  /** Of what has ended: 0 or an errno. */
  readonly error: number;
  /** write: byte of the container; of what has ended: the sequence of its beginning. */
  readonly where: number;
  /** Bytes written; elsewhere 0. */
  readonly length: number;
  /** Where the bytes are in the log. */
  readonly data: number;
  /** Where the entry ends in the log: who saw the log this long knows that it had happened. */
  readonly end: number;
}

/** All whole entries, in order. Throws where the file is no such log, or has a gap. */
export const readWriteLog = async (file: string): Promise<LogEntry[]> => {
  await using handle = await open(file, 'r');
  const { size } = await handle.stat();
  const head = Buffer.alloc(headBytes);
  await handle.read(head, 0, magic.length, 0);
  if (head.toString('latin1', 0, magic.length) !== magic) throw new Error(`${file}: expected a write log`);
  const entries: LogEntry[] = [];
  for (let at = magic.length; at + headBytes <= size; ) {
    await handle.read(head, 0, headBytes, at);
    const sequence = Number(head.readBigUInt64LE(0));
    const kind = kinds[head.readUInt32LE(8)];
    if (sequence !== entries.length || kind === undefined || kind === '')
      throw new Error(
        `${file}: expected entry ${entries.length} at ${at}, got ${sequence} of kind ${head.readUInt32LE(8)}`,
      );
    const length = head.readUInt32LE(24);
    const data = at + headBytes;
    const end = data + length;
    if (end > size) break;
    const where = Number(head.readBigUInt64LE(16));
    entries.push({ sequence, kind, error: head.readInt32LE(12), where, length, data, end });
    at = end;
  }
  return entries;
};
