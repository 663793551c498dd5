/**
 * Every error the project reports, in one table. Library code throws `ReelError`; only the daemon's edge and the CLI print or log it.
 * The page `docs/errors.md` lists the same codes; a test proves that both agree.
 */

/** How a caller should look at an error; the HTTP status and the exit code follow from the row, not from the kind. */
export type ErrorKind =
  | 'invalid' // the request can never succeed as it stands
  | 'denied' // wrong or missing credentials, or not allowed
  | 'missing' // the thing named does not exist
  | 'conflict' // the state of the thing forbids it now
  | 'exhausted' // no space, no memory, too many
  | 'unavailable' // a part or capability is not there now
  | 'damaged' // data is not what it must be
  | 'internal'; // a defect of ours

export interface ErrorRow {
  readonly text: string;
  readonly kind: ErrorKind;
  readonly http: number;
  readonly exit: number;
  readonly retryable: boolean;
}

const row = (text: string, kind: ErrorKind, http: number, exit: number, retryable: boolean): ErrorRow => ({
  text,
  kind,
  http,
  exit,
  retryable,
});

export const errorTable = {
  // requests
  'invalid-argument': row('a value is not acceptable', 'invalid', 400, 2, false),
  'not-found': row('the thing named does not exist', 'missing', 404, 4, false),
  'already-exists': row('a thing of this name exists', 'conflict', 409, 5, false),
  'body-too-large': row('the request body is larger than this route accepts', 'invalid', 413, 2, false),
  'url-too-long': row('the URL, or a name in it, is too long', 'invalid', 414, 2, false),
  'headers-too-large': row('the headers of the request are too large', 'invalid', 431, 2, false),
  'request-timeout': row('the request did not come in time', 'invalid', 408, 2, true),
  unauthorized: row('sign in first', 'denied', 401, 3, false),
  'too-many-attempts': row('too many failed sign-ins from this address', 'denied', 429, 3, true),
  'too-many-connections': row('the user has as many connections as the rules allow', 'exhausted', 429, 7, true),
  'too-many-tickets': row('too many publish tickets are unused', 'exhausted', 429, 7, true),
  'too-many-listeners': row('too many clients listen to events', 'exhausted', 429, 7, true),
  'media-type': row('the media type of the request body is not one this route takes', 'invalid', 415, 2, false),
  forbidden: row('not allowed for this account', 'denied', 403, 3, false),
  // datapath
  'path-outside': row('the path leads outside the datapath', 'denied', 403, 3, false),
  'path-invalid': row('the path is not acceptable', 'invalid', 400, 2, false),
  // block devices
  'device-refused': row('the block device may not be used', 'denied', 403, 3, false),
  'device-in-use': row('the block device is in use', 'conflict', 409, 5, true),
  'device-not-empty': row('other data lies on the block device', 'conflict', 409, 5, false),
  // child processes
  'command-failed': row('a system command failed', 'internal', 500, 1, false),
  'command-timeout': row('a system command did not finish in time', 'unavailable', 504, 1, true),
  'command-missing': row('a system command is not installed', 'unavailable', 501, 1, false),
  // LUKS
  'wrong-key': row('no keyslot opens with this passphrase or key', 'denied', 403, 3, false),
  'not-luks': row('the file is not a LUKS container', 'invalid', 422, 6, false),
  'luks-unsupported': row('the container uses a LUKS feature this engine does not support', 'invalid', 422, 6, false),
  'luks-damaged': row('the LUKS header is damaged', 'damaged', 422, 6, false),
  'no-keyslot': row('the container has no usable keyslot', 'damaged', 422, 6, false),
  'container-short': row('the container is shorter than it must be', 'damaged', 422, 6, false),
  'last-keyslot': row('this is the last keyslot; removing it would lose the data', 'conflict', 409, 5, false),
  'same-keyslot': row('the key given as proof is that of the slot to be removed', 'conflict', 409, 5, false),
  'tang-unavailable': row('the Tang server gives no usable answer', 'unavailable', 503, 8, true),
  'tang-untrusted': row('the Tang server is not signed for by the key that is trusted', 'denied', 403, 3, false),
  'auto-open-failed': row('no way to open the volume without an admin worked', 'unavailable', 503, 8, true),
  'keyslots-full': row('the container has no free keyslot', 'conflict', 409, 5, false),
  'reencryption-unfinished': row('the container is being given a new volume key', 'conflict', 409, 5, false),
  'out-of-memory': row('not enough memory for the key derivation', 'exhausted', 507, 7, true),
  // volumes
  'volume-busy': row('the volume is in use', 'conflict', 409, 5, true),
  'volume-state': row('the volume is not in a state that allows this', 'conflict', 409, 5, false),
  'volume-unfinished': row('an operation on the volume was interrupted', 'conflict', 409, 5, false),
  'header-older': row('the header backup has other keys than the container', 'conflict', 409, 5, false),
  'backup-foreign': row('the header backup is of another container', 'damaged', 409, 6, false),
  'container-replaced': row('the file or device is not the container of this volume', 'damaged', 409, 6, false),
  'volume-identity': row('the filesystem is not that of the volume', 'damaged', 409, 6, false),
  'filesystem-damaged': row('the filesystem in the volume needs a repair by hand', 'damaged', 409, 6, false),
  'engine-unavailable': row('no engine can open containers on this machine', 'unavailable', 501, 8, false),
  'block-plane-died': row(
    'the process that the data of an open volume goes through ended',
    'unavailable',
    503,
    8,
    true,
  ),
  'storage-hung': row('the storage below the volume stopped answering', 'unavailable', 503, 8, true),
  'container-changed': row(
    'the container was moved, replaced or cut while the volume was open',
    'unavailable',
    503,
    8,
    true,
  ),
  'volume-paused': row('recording into the volume is paused', 'unavailable', 503, 8, true),
  'no-space': row('not enough space', 'exhausted', 507, 7, true),
  'io-error': row('the storage reported an I/O error', 'unavailable', 503, 8, true),
  'not-supported': row('the kernel of this machine cannot do this', 'unavailable', 501, 8, false),
  // helper
  'helper-unavailable': row('the privileged helper does not answer', 'unavailable', 503, 8, true),
  'helper-protocol': row(
    'the privileged helper got or gave a message that is not of the protocol',
    'internal',
    500,
    1,
    false,
  ),
  // ingest, recorder, archive
  'stream-busy': row('the stream has a publisher already', 'conflict', 409, 5, true),
  'not-mpegts': row('the bytes are not MPEG-TS', 'invalid', 415, 6, false),
  'publisher-stalled': row('the publisher sent nothing for too long', 'unavailable', 408, 8, true),
  'recording-stopped': row('recording was stopped while the publisher was sending', 'unavailable', 503, 8, true),
  'no-recording': row('nothing is recorded in this range', 'missing', 404, 4, false),
  'range-invalid': row('the requested range cannot be served', 'invalid', 416, 2, false),
  'catalog-unavailable': row(
    'the catalog of the archive is not complete yet, or has failed',
    'unavailable',
    503,
    8,
    true,
  ),
  'archive-damaged': row('the archive holds something it must not', 'damaged', 500, 6, false),
  'evidence-damaged': row('a signed recording, or its signature, is not what it was', 'damaged', 500, 6, false),
  'episodes-unavailable': row('the list of episodes cannot be had, so nothing is deleted', 'unavailable', 503, 8, true),
  'too-many-episodes': row('the volume has as many episodes as it can', 'exhausted', 409, 7, false),
  'purge-too-large': row('the purge would take more than half of the archive', 'conflict', 409, 5, false),
  // the rest
  'audit-unavailable': row('the audit trail cannot be written', 'unavailable', 503, 8, true),
  'config-invalid': row('the configuration is not acceptable', 'invalid', 422, 2, false),
  'config-locked': row('the configuration is locked on the machine', 'denied', 423, 3, false),
  'config-changed': row('the configuration is not the one that was read', 'conflict', 412, 5, false),
  'config-on-trial': row('a change of the configuration waits to be confirmed', 'conflict', 409, 5, true),
  'config-refused': row('a part of the service cannot take the configuration', 'conflict', 409, 5, false),
  'config-unwritable': row('the configuration file cannot be written', 'conflict', 409, 5, false),
  'not-running': row('the service is not running', 'unavailable', 503, 8, true),
  internal: row('a defect of the service', 'internal', 500, 1, false),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** What was expected, for what, what was got, what to do: the parts of a message, joined in this order. */
export interface ErrorParts {
  readonly expected: string;
  readonly got: string;
  /** What an admin can do about it, in words. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Machine-readable facts for the answer (holders of a mount, a stream's name); never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export class ReelError extends Error {
  override readonly name = 'ReelError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  readonly parts: Pick<ErrorParts, 'expected' | 'got' | 'hint'>;

  constructor(code: ErrorCode, parts: ErrorParts) {
    const hint = parts.hint === undefined ? '' : `; ${parts.hint}`;
    super(`Expected ${parts.expected}, got ${parts.got}${hint}`, { cause: parts.cause });
    this.code = code;
    this.details = parts.details ?? {};
    this.parts =
      parts.hint === undefined
        ? { expected: parts.expected, got: parts.got }
        : { expected: parts.expected, got: parts.got, hint: parts.hint };
  }

  get row(): ErrorRow {
    return errorTable[this.code];
  }

  /** The JSON form of REST answers, CLI `--json` and the helper's protocol, which adds the cause in words. Here `cause` stays inside. */
  toJSON(): {
    code: ErrorCode;
    message: string;
    expected: string;
    got: string;
    hint?: string;
    retryable: boolean;
    details: Readonly<Record<string, unknown>>;
  } {
    return {
      code: this.code,
      message: this.message,
      ...this.parts,
      retryable: this.row.retryable,
      details: this.details,
    };
  }
}

/** Characters of a cause in words: enough for the last lines of a command. */
const longestCause = 2000;

/** Failures of the storage can come from any system call, and are no defect of ours (errno(3)). */
const storageErrors: Readonly<Record<string, 'no-space' | 'io-error'>> = {
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EIO: 'io-error',
  EROFS: 'io-error', // gone read-only after an error
  EUCLEAN: 'io-error', // a damaged filesystem below
  ESTALE: 'io-error', // network storage that was exchanged
};

/** What an admin looks at; the error itself cannot know more. */
export const storageHints = {
  'no-space': 'make space on the filesystem that holds it (`df`)',
  'io-error': 'look at the storage below it: the kernel’s log (`dmesg`) names the device',
} as const;

const fromSystem = (thrown: unknown): ReelError | undefined => {
  if (!(thrown instanceof Error)) return undefined;
  const { code: errno = '', syscall = 'a system call', path } = thrown as NodeJS.ErrnoException;
  const code = storageErrors[errno];
  if (code === undefined) return undefined;
  return new ReelError(code, {
    expected: `success of ${syscall}${path === undefined ? '' : ` on ${path}`}`,
    got: thrown.message,
    hint: storageHints[code],
    cause: thrown,
    details: { errno, syscall },
  });
};

/** Rethrows a failure of the storage: a file on a broken disk is not missing, and not a wrong one either. */
export const throwStorageFailure = (thrown: unknown): void => {
  const error = fromSystem(thrown);
  if (error !== undefined) throw error;
};

/** Turns anything thrown into a `ReelError`; what is neither ours nor the storage's becomes `internal` with the cause kept. */
export const toReelError = (thrown: unknown): ReelError =>
  thrown instanceof ReelError
    ? thrown
    : (fromSystem(thrown) ??
      new ReelError('internal', {
        expected: 'no unforeseen failure',
        got: thrown instanceof Error ? thrown.message : String(thrown),
        hint: 'see the log of the service',
        cause: thrown,
      }));

/** What led to an error, from its cause down, in words; undefined where nothing did. */
export const causeInWords = (error: Error): string | undefined => {
  const words: string[] = [];
  for (let cause = error.cause; cause !== undefined && words.length < 10; ) {
    words.push(cause instanceof Error ? cause.message : String(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return words.length === 0 ? undefined : words.join(': ').slice(0, longestCause);
};

/** What `toJSON` writes, as it comes back from another process. */
export interface WireError {
  readonly code: string;
  readonly expected: string;
  readonly got: string;
  readonly hint?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The error of another process, as if it had been thrown here. A code that this program does not know becomes `internal`. */
export const errorFromWire = ({ code, expected, got, hint, details = {} }: WireError): ReelError =>
  new ReelError(code in errorTable ? (code as ErrorCode) : 'internal', {
    expected,
    got,
    details,
    ...(hint === undefined ? {} : { hint }),
  });
