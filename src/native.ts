/**
 * The only importer of the addon. JavaScript validates here; native code trusts what it is given.
 * Each area of the addon has its typed functions in a section of its own.
 */
import { createRequire } from 'node:module';

interface Addon {
  crc32c(bytes: Uint8Array, crc: number): number;
}

const addon = createRequire(import.meta.url)('../build/Release/reelvault.node') as Addon;

/** CRC-32C (RFC 3720 appendix B.4) of `bytes`; pass the former result as `crc` to go on over several pieces. */
export const crc32c = (bytes: Uint8Array, crc = 0): number => addon.crc32c(bytes, crc);
