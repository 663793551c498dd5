import { ReelError } from '../errors.ts';
import type { Keyslot, LuksDump, Token } from './types.ts';

/** The parts of LUKS2's JSON area that we read; 64-bit numbers are strings there. */
interface Metadata {
  keyslots: Record<
    string,
    {
      type: string;
      key_size: number;
      /** None is 1. */
      priority?: number;
      kdf?: { type: string; iterations?: number; time?: number; memory?: number; cpus?: number };
    }
  >;
  tokens: Record<string, Record<string, unknown> & { type: string }>;
  segments: Record<
    string,
    {
      type: string;
      offset: string;
      size: string;
      encryption: string;
      sector_size: number;
      integrity?: { type: string };
    }
  >;
  digests: Record<string, { keyslots: string[]; segments: string[] }>;
  config: { requirements?: { mandatory?: string[] } };
}

const unsupported = (got: string): ReelError =>
  new ReelError('luks-unsupported', { expected: 'a LUKS2 header with one plain crypt segment', got });

const numbered = <T>(entries: Record<string, T>): [number, T][] =>
  Object.entries(entries)
    .map(([key, value]): [number, T] => [Number(key), value])
    .sort(([a], [b]) => a - b);

const keyslotsOf = (metadata: Metadata): Keyslot[] => {
  const bound = new Set(
    Object.values(metadata.digests)
      .filter((digest) => digest.segments.length > 0)
      .flatMap((digest) => digest.keyslots.map(Number)),
  );
  // A reencryption keeps its state in a keyslot that holds no key.
  return numbered(metadata.keyslots).map(([slot, { kdf, priority }]) => ({
    slot,
    usable: kdf !== undefined && bound.has(slot),
    kdf: kdf?.type ?? 'none',
    iterations: kdf?.iterations ?? kdf?.time ?? null,
    memoryKiB: kdf?.memory ?? null,
    parallel: kdf?.cpus ?? null,
    priority: priority === 0 ? 'ignore' : priority === 2 ? 'prefer' : 'normal',
  }));
};

/** The binary header's fields are only in the text form; a hostile label cannot forge the UUID, whose line comes first. */
const field = (text: string, name: string): string | null =>
  new RegExp(`^${name}:[ \\t]+(.*?)[ \\t]*$`, 'm').exec(text)?.[1] ?? null;

/** The header names the volume key's size in its keyslots only: after an erase it is unknown. */
const keyBitsOf = (metadata: Metadata, keyslots: readonly Keyslot[]): number | null => {
  const slot = keyslots.find((candidate) => candidate.usable)?.slot;
  const bytes = slot === undefined ? undefined : metadata.keyslots[slot]?.key_size;
  return bytes === undefined ? null : bytes * 8;
};

/** `json` is the answer of `luksDump --dump-json-metadata`, `text` that of `luksDump`. */
export const parseLuks2 = (json: string, text: string): LuksDump => {
  const metadata = JSON.parse(json) as Metadata;
  const segments = Object.values(metadata.segments).filter((segment) => segment.type === 'crypt');
  const [segment] = segments;
  if (segment === undefined) throw unsupported('no crypt segment');
  const keyslots = keyslotsOf(metadata);
  const label = field(text, 'Label');
  return {
    type: 'luks2',
    uuid: field(text, 'UUID') ?? '',
    label: label === '(no label)' ? null : label,
    cipher: segment.encryption,
    keyBits: keyBitsOf(metadata, keyslots),
    sectorSize: segment.sector_size,
    dataOffset: Number(segment.offset),
    dataSize: segment.size === 'dynamic' ? 'dynamic' : Number(segment.size),
    keyslots,
    tokens: numbered(metadata.tokens).map(([id, body]): Token => ({ id, type: body.type, body })),
    requirements: metadata.config.requirements?.mandatory ?? [],
    integrity: segment.integrity?.type ?? null,
  };
};
