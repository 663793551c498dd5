import { ReelError } from '../errors.ts';

/** What `cryptsetup status` says of an active mapping. Sizes and offsets in bytes. */
export interface MappingStatus {
  readonly type: string;
  readonly cipher: string;
  readonly keyBits: number;
  readonly sectorSize: number;
  /** The device below, and the file below that where it is a loop device. */
  readonly device: string;
  readonly loopFile: string | null;
  readonly offset: number;
  readonly size: number;
  readonly readOnly: boolean;
  readonly inUse: boolean;
}

const sector = 512;

export const parseStatus = (text: string): MappingStatus => {
  const optional = (name: string): string | null => new RegExp(`^ +${name}: +(.*?)$`, 'm').exec(text)?.[1] ?? null;
  const field = (name: string): string => {
    const value = optional(name);
    if (value === null) throw new ReelError('internal', { expected: `"${name}" in cryptsetup's status`, got: 'none' });
    return value;
  };
  return {
    type: field('type'),
    cipher: field('cipher'),
    keyBits: Number.parseInt(field('keysize'), 10),
    sectorSize: Number(optional('sector size') ?? sector),
    device: field('device'),
    loopFile: optional('loop'),
    offset: Number.parseInt(field('offset'), 10) * sector,
    size: Number.parseInt(field('size'), 10) * sector,
    readOnly: field('mode').startsWith('readonly'),
    inUse: /^\S+ is active and is in use\.$/m.test(text),
  };
};
