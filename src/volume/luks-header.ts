import { open } from 'node:fs/promises';
import { ReelError } from '../errors.ts';

export interface LuksHeader {
  readonly version: 1 | 2;
  readonly uuid: string;
}

const magic = Buffer.from('LUKS\xba\xbe', 'latin1');
/** LUKS2 keeps a second header with a magic of its own at one of these offsets (LUKS2 specification, section 2). */
const secondaryMagic = Buffer.from('SKUL\xba\xbe', 'latin1');
const secondaryOffsets = [0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000];
/** Both versions keep the UUID as text at the same place. */
const uuidOffset = 168;
const uuidLength = 40;

const parse = (block: Buffer, expected: Buffer): LuksHeader | undefined => {
  if (!block.subarray(0, 6).equals(expected)) return undefined;
  const version = block.readUInt16BE(6);
  const uuid = block
    .toString('latin1', uuidOffset, uuidOffset + uuidLength)
    .replace(/\0.*$/s, '')
    .toLowerCase();
  return (version === 1 || version === 2) && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)
    ? { version, uuid }
    : undefined;
};

/**
 * Version and UUID of the container at `path`, read without a key and without cryptsetup, so cheap enough for every look at a
 * volume. Checks no checksum: whoever opens the container does. Falls back to the second header where the first is lost.
 * Throws `not-luks`, and `luks-damaged` where there is a LUKS magic over something else.
 */
export const readLuksHeader = async (path: string): Promise<LuksHeader> => {
  const file = await open(path, 'r');
  let bearsMagic = false;
  try {
    const block = Buffer.alloc(512);
    for (const offset of [0, ...secondaryOffsets]) {
      const { bytesRead } = await file.read(block, 0, block.length, offset);
      if (bytesRead !== block.length) continue;
      const expected = offset === 0 ? magic : secondaryMagic;
      bearsMagic ||= block.subarray(0, expected.length).equals(expected);
      const header = parse(block, expected);
      if (header !== undefined) return header;
    }
  } finally {
    await file.close();
  }
  if (bearsMagic) {
    throw new ReelError('luks-damaged', {
      expected: 'a LUKS header',
      got: 'one of no known version or without a UUID',
    });
  }
  throw new ReelError('not-luks', { expected: 'a LUKS header', got: 'none in this file' });
};
