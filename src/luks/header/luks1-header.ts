import type { FileHandle } from 'node:fs/promises';

/** A slot of a LUKS1 header. */
export interface Luks1Slot {
  readonly slot: number;
  readonly active: boolean;
  /** Of the derived key: random for each key that is set. */
  readonly salt: string;
  /** Bytes from the start of the file to its key material, and bytes of that. */
  readonly offset: number;
  readonly bytes: number;
}

/** The LUKS1 header, as far as it can be trusted: it has no checksum. */
export interface Luks1Header {
  readonly uuid: string;
  readonly cipher: string;
  readonly keyBytes: number;
  /** Bytes from the start of the file; 0 where the payload lies elsewhere. */
  readonly payload: number;
  readonly digest: string;
  readonly slots: readonly Luks1Slot[];
}

const headerBytes = 592;
const sector = 512;
const active = 0x00ac71f3;
const inactive = 0x0000dead;
const slotCount = 8;
/** What every tool writes; another number is damage, and one that a key derivation would have to allocate. */
const stripes = 4000;
const keySizes = [16, 32, 64];

const text = (header: Buffer, at: number, bytes: number): string =>
  header.toString('latin1', at, at + bytes).replace(/\0.*$/s, '');

/** The header, or what is wrong with it. Fields and places: LUKS on-disk format 1.2.3, figures 1 and 2. */
export const readLuks1 = async (file: FileHandle): Promise<Luks1Header | string> => {
  const header = Buffer.alloc(headerBytes);
  const { bytesRead } = await file.read(header, 0, headerBytes, 0);
  if (bytesRead < headerBytes) return 'a file that ends within the header';
  const keyBytes = header.readUInt32BE(108);
  if (!keySizes.includes(keyBytes)) return `a volume key of ${keyBytes} bytes`;
  if (header.readUInt32BE(164) === 0) return 'a digest of 0 rounds';
  const slots: Luks1Slot[] = [];
  for (let slot = 0; slot < slotCount; slot += 1) {
    const at = 208 + slot * 48;
    const mark = header.readUInt32BE(at);
    if (mark !== active && mark !== inactive) return `key slot ${slot} neither in use nor free`;
    const found = header.readUInt32BE(at + 44);
    if (mark === active && found !== stripes) return `${found} stripes in key slot ${slot}`;
    slots.push({
      ...{ slot, active: mark === active, salt: header.toString('hex', at + 8, at + 40) },
      ...{ offset: header.readUInt32BE(at + 40) * sector, bytes: keyBytes * stripes },
    });
  }
  return {
    ...{
      uuid: text(header, 168, 40).toLowerCase(),
      cipher: `${text(header, 8, 32)}-${text(header, 40, 32)}`,
      keyBytes,
    },
    ...{ payload: header.readUInt32BE(104) * sector, digest: header.toString('hex', 112, 164), slots },
  };
};
