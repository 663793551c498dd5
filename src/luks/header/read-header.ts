/**
 * Reads LUKS headers without cryptsetup, which puts a damaged copy of a LUKS2 header right as soon as it looks at one (`isLuks` and
 * `luksDump` included), so that nobody would ever hear of the damage. Nothing here writes, and nothing here takes a key.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { ReelError, throwStorageFailure } from '../../errors.ts';
import { sizeOf } from '../container-size.ts';
import { type Luks1Header, readLuks1 } from './luks1-header.ts';
import { type BrokenCopy, copySizes, isWhole, type Luks2Copy, readCopy } from './luks2-copy.ts';

export type Header =
  | { readonly type: 'luks1'; readonly size: number; readonly luks1: Luks1Header }
  | {
      readonly type: 'luks2';
      /** Bytes of the file, or of the block device. */
      readonly size: number;
      readonly primary: Luks2Copy | BrokenCopy;
      readonly secondary: Luks2Copy | BrokenCopy;
      /** The whole copy that counts: the newer of two. */
      readonly current: Luks2Copy;
      /** Both are whole and say the same. */
      readonly agree: boolean;
    }
  /** LUKS by its magic, but nothing of it can be used. */
  | { readonly type: 'damaged'; readonly size: number; readonly problem: string }
  | { readonly type: 'none'; readonly size: number };

const magic = Buffer.from('LUKS\xba\xbe', 'latin1');

const readSecondary = async (file: FileHandle, primary: Luks2Copy | BrokenCopy): Promise<Luks2Copy | BrokenCopy> => {
  if (isWhole(primary)) return readCopy(file, 'secondary', primary.bytes);
  let first: BrokenCopy | undefined;
  for (const offset of copySizes) {
    const copy = await readCopy(file, 'secondary', offset);
    if (isWhole(copy)) return copy;
    if (copy.magic) first ??= copy;
  }
  return first ?? { place: 'secondary', offset: 0, magic: false, problem: 'no header' };
};

const newer = (a: Luks2Copy, b: Luks2Copy): Luks2Copy => (BigInt(b.sequence) > BigInt(a.sequence) ? b : a);

export const readHeaderOf = async (file: FileHandle): Promise<Header> => {
  const size = await sizeOf(await file.stat({ bigint: true }));
  const start = Buffer.alloc(8);
  await file.read(start, 0, start.length, 0);
  const bearsMagic = start.subarray(0, 6).equals(magic);
  const version = start.readUInt16BE(6);
  if (bearsMagic && version === 1) {
    const luks1 = await readLuks1(file);
    return typeof luks1 === 'string' ? { type: 'damaged', size, problem: luks1 } : { type: 'luks1', size, luks1 };
  }
  const primary = await readCopy(file, 'primary', 0);
  const secondary = await readSecondary(file, primary);
  const whole = [primary, secondary].filter(isWhole);
  const [one, other = one] = whole;
  if (one !== undefined && other !== undefined) {
    const agree = whole.length === 2 && one.sequence === other.sequence && one.json.equals(other.json);
    return { type: 'luks2', size, primary, secondary, current: newer(one, other), agree };
  }
  const broken = [primary, secondary].filter((copy) => !isWhole(copy) && copy.magic) as BrokenCopy[];
  if (broken.length === 0) return { type: 'none', size };
  const problem = broken.map((copy) => `${copy.place} header: ${copy.problem}`).join('; ');
  return { type: 'damaged', size, problem };
};

/** Throws `not-found` when the file cannot be opened. */
export const readHeader = async (path: string): Promise<Header> => {
  const file = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    throwStorageFailure(cause);
    throw new ReelError('not-found', { expected: `a container at ${path}`, got: cause.code ?? cause.message, cause });
  });
  try {
    return await readHeaderOf(file);
  } finally {
    await file.close();
  }
};
