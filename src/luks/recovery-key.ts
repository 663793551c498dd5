/**
 * Recovery keys: 256 random bits as people write them down. 13 groups of 5 characters of Crockford's base 32 (no I, L, O, U), four of the key
 * and one check character each, joined by dashes: `7K3DX-…`. The passphrase of the keyslot is exactly this text, so that plain
 * `cryptsetup open` takes what was printed. Everything here is bytes, which the caller zeroes: strings cannot be.
 */
import { randomBytes } from 'node:crypto';
import { ReelError } from '../errors.ts';

const alphabet = Buffer.from('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 'latin1');
const groups = 13;
const dataInGroup = 4;
const groupLength = dataInGroup + 1;
const keyBytes = 32;
const dash = 0x2d;

/** What else people write for a character: small letters, and letters that look like digits. -1: none of the alphabet. */
const digitOf = (byte: number): number => {
  const upper = byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
  if (upper === 0x4f) return 0; // O
  if (upper === 0x49 || upper === 0x4c) return 1; // I, L
  return alphabet.indexOf(upper);
};

/** Times x in the field of 32 elements over x^5 + x^2 + 1. */
const timesX = (value: number): number => {
  const shifted = value << 1;
  return (shifted & 0x20) === 0 ? shifted : shifted ^ 0x25;
};

/**
 * The check value of a group. Each place has a weight of its own, so that one wrong character or two exchanged ones are always noticed;
 * the group's number is in it, so that two exchanged groups are.
 */
const checkOf = (data: Uint8Array, group: number): number => {
  let sum = 0;
  for (let place = dataInGroup - 1; place >= 0; place -= 1) sum = timesX(sum ^ (data[place] ?? 0));
  return sum ^ group;
};

/** Writes 32 bytes as text. */
export const formatRecoveryKey = (key: Uint8Array): Buffer => {
  const text = Buffer.alloc(groups * (groupLength + 1) - 1, dash);
  const data = new Uint8Array(dataInGroup);
  for (let group = 0; group < groups; group += 1) {
    for (let place = 0; place < dataInGroup; place += 1) {
      const bit = (group * dataInGroup + place) * 5;
      const wide = ((key[bit >> 3] ?? 0) << 8) | (key[(bit >> 3) + 1] ?? 0);
      data[place] = (wide >> (11 - (bit & 7))) & 31;
    }
    const start = group * (groupLength + 1);
    data.forEach((value, place) => {
      text[start + place] = alphabet[value] ?? 0;
    });
    text[start + dataInGroup] = alphabet[checkOf(data, group)] ?? 0;
  }
  data.fill(0);
  return text;
};

/** A new one. The caller zeroes it. */
export const makeRecoveryKey = (): Buffer => {
  const key = randomBytes(keyBytes);
  try {
    return formatRecoveryKey(key);
  } finally {
    key.fill(0);
  }
};

const isSeparator = (byte: number): boolean => byte === dash || byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/** The pieces between dashes and spaces; one piece of the full length (typed without any) is cut into groups. */
const split = (text: Uint8Array): Uint8Array[] => {
  const pieces: Uint8Array[] = [];
  let start = -1;
  for (let index = 0; index <= text.length; index += 1) {
    const separator = index === text.length || isSeparator(text[index] ?? dash);
    if (separator && start >= 0) pieces.push(text.subarray(start, index));
    start = separator ? -1 : start < 0 ? index : start;
  }
  const [only] = pieces;
  if (pieces.length !== 1 || only?.length !== groups * groupLength) return pieces;
  return Array.from({ length: groups }, (_, group) => only.subarray(group * groupLength, (group + 1) * groupLength));
};

const wrong = (got: string, mistaken: readonly number[]): ReelError =>
  new ReelError('invalid-argument', {
    expected: `a recovery key: ${groups} groups of ${groupLength} characters`,
    got,
    details: mistaken.length === 0 ? {} : { groups: mistaken },
  });

/** The values of a group, or undefined where its check character says that something is mistyped. */
const readGroup = (piece: Uint8Array, group: number): Uint8Array | undefined => {
  if (piece.length !== groupLength) return undefined;
  const values = Int8Array.from(piece, digitOf);
  const data = Uint8Array.from(values.subarray(0, dataInGroup));
  const holds = !values.includes(-1) && checkOf(data, group) === values[dataInGroup];
  values.fill(0);
  return holds ? data : undefined;
};

/**
 * The text as it was printed, from what somebody typed: case, dashes, spaces and line ends do not matter, O counts as 0, I and L as 1.
 * Throws `invalid-argument` with the numbers of the mistyped groups (from 1) in `details.groups`, before any key is derived. The caller
 * zeroes both.
 */
export const readRecoveryKey = (typed: Uint8Array): Buffer => {
  const pieces = split(typed);
  if (pieces.length !== groups) throw wrong(`${pieces.length} groups`, []);
  const text = Buffer.alloc(groups * (groupLength + 1) - 1, dash);
  const mistaken: number[] = [];
  for (const [group, piece] of pieces.entries()) {
    const data = readGroup(piece, group);
    if (data === undefined) {
      mistaken.push(group + 1);
      continue;
    }
    const start = group * (groupLength + 1);
    data.forEach((value, place) => {
      text[start + place] = alphabet[value] ?? 0;
    });
    text[start + dataInGroup] = alphabet[checkOf(data, group)] ?? 0;
    data.fill(0);
  }
  if (mistaken.length === 0) return text;
  text.fill(0);
  throw wrong(`a mistake in group ${mistaken.join(', ')}`, mistaken);
};
