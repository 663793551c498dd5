/** Key derivation of one keyslot. Either a cost that cryptsetup measures (`timeMs`) or a fixed one (`iterations`). */
export type Pbkdf =
  | { readonly type: 'pbkdf2'; readonly iterations: number }
  | { readonly type: 'pbkdf2'; readonly timeMs: number }
  | {
      readonly type: 'argon2id';
      /** Upper limit in KiB; cryptsetup takes less when that would exceed `timeMs`. */
      readonly memoryKiB: number;
      readonly parallel: number;
      readonly timeMs: number;
    }
  | {
      readonly type: 'argon2id';
      readonly memoryKiB: number;
      readonly parallel: number;
      /** Passes over the memory, 4 or more. */
      readonly iterations: number;
    };

/** The ciphers of the kernel for whole disks that take keys of 256 and 512 bits. */
export const ciphers = ['aes-xts-plain64', 'serpent-xts-plain64', 'twofish-xts-plain64'] as const;
export type Cipher = (typeof ciphers)[number];

export type LuksType = 'luks1' | 'luks2';
export type SectorSize = 512 | 1024 | 2048 | 4096;

export interface FormatOptions {
  readonly type: LuksType;
  readonly pbkdf: Pbkdf;
  /** Default `aes-xts-plain64`, the only one that the userspace engine opens. */
  readonly cipher?: Cipher | undefined;
  /** XTS uses half of it for each of its two keys: 256 is AES-128. Default 512. */
  readonly keyBits?: 256 | 512 | undefined;
  /** LUKS2 only; default 4096 (LUKS1 knows 512 only). */
  readonly sectorSize?: SectorSize | undefined;
  /** LUKS2 only; at most 47 bytes. */
  readonly label?: string | undefined;
  readonly uuid?: string | undefined;
  /** Bytes before the payload. Without it cryptsetup chooses, of a block device by how that is built. */
  readonly dataOffset?: number | undefined;
}

export interface Keyslot {
  readonly slot: number;
  /** Opens the data; false for a LUKS2 slot that is bound to no segment. */
  readonly usable: boolean;
  readonly kdf: string;
  readonly iterations: number | null;
  readonly memoryKiB: number | null;
  readonly parallel: number | null;
  /** `ignore`: tried only where the slot is named. LUKS1 knows `normal` only. */
  readonly priority: 'ignore' | 'normal' | 'prefer';
}

export interface Token {
  readonly id: number;
  readonly type: string;
  /** The whole JSON object as it lies in the header. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** What a header says, as cryptsetup reads it. */
export interface LuksDump {
  readonly type: LuksType;
  readonly uuid: string;
  readonly label: string | null;
  /** Of the data segment, in dm-crypt's notation: `aes-xts-plain64`. */
  readonly cipher: string;
  /** null where no keyslot is left to tell it. */
  readonly keyBits: number | null;
  readonly sectorSize: number;
  /** Bytes from the start of the container to its payload. */
  readonly dataOffset: number;
  /** Bytes of the payload, or `dynamic`: all that follows the offset. */
  readonly dataSize: number | 'dynamic';
  readonly keyslots: readonly Keyslot[];
  readonly tokens: readonly Token[];
  /** LUKS2 mandatory requirements, such as `online-reencrypt-v2`. */
  readonly requirements: readonly string[];
  readonly integrity: string | null;
}
