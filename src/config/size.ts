import { ReelError } from '../errors.ts';

/** `10G`, `10GiB`, `1.5T`, `1048576`: units are powers of 1024. For schemas; `parseSize` reads it. */
export const sizePattern = '^\\d{1,15}(\\.\\d{1,6})?[KMGTPkmgtp]?([iI]?[bB]?)$';

const factors: Readonly<Record<string, number>> = {
  '': 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
  P: 2 ** 50,
};

/** Bytes. Throws `invalid-argument` for anything that is no whole number of bytes. */
export const parseSize = (text: string): number => {
  const [, number, unit = ''] = /^([\d.]+)([KMGTP]?)/i.exec(new RegExp(sizePattern).test(text) ? text : '') ?? [];
  const size = Number(number) * (factors[unit.toUpperCase()] ?? Number.NaN);
  // `1.1G` is no whole number of bytes: people mean about that much
  const bytes = unit === '' ? size : Math.ceil(size);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new ReelError('invalid-argument', {
    expected: 'a size such as 500M, 10G, 1.5TiB, or a number of bytes',
    got: JSON.stringify(text),
  });
};

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** As many of the largest unit that fits, rounded; and the bytes that that is. */
const inUnits = (bytes: number, digits: number): { text: string; bytes: number } => {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const rounded = Number(value.toFixed(digits));
  return { text: `${rounded} ${units[unit]}`, bytes: rounded * 1024 ** unit };
};

/** `1.5 GiB` */
export const formatBytes = (bytes: number, digits = 1): string => inUnits(bytes, digits).text;

/** As errors tell a size, whatever it is: to the byte, for whoever types it again, and so that it can be read: `10737418240 bytes (10 GiB)`. */
export const sizeText = (bytes: number): string => {
  if (bytes < 1024) return `${bytes} bytes`;
  const short = inUnits(bytes, 1);
  return `${bytes} bytes (${short.bytes === bytes ? '' : 'about '}${short.text})`;
};
