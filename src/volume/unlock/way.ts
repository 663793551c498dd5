import type { ErrorCode } from '../../errors.ts';

/** What opened a volume without an admin: the key file, a systemd credential, or the pin of a Clevis binding, `clevis` where it cannot be read. */
export type Way = 'keyFile' | 'credential' | 'tang' | 'tpm2' | 'sss' | 'clevis';

/** A way that did not open the volume, and why. */
export interface Attempt {
  readonly way: Way;
  /** The keyslot of a binding. */
  readonly slot: number | null;
  readonly code: ErrorCode;
  readonly reason: string;
}

/** What the helper knows of the machine it runs on for ways without an admin. */
export interface Unattended {
  /** The directory that systemd put this service's credentials in. */
  readonly credentials?: string;
  /** For Clevis and its children: `TPM2TOOLS_TCTI`, and in tests a `PATH` and a `TMPDIR`. */
  readonly env?: Readonly<Record<string, string>>;
}
