/** What a check can find, how bad it is, and what to do about it. docs/archive.md has the same table. */

export type CheckLevel = 'names' | 'index' | 'bytes';

export const checkLevels: readonly CheckLevel[] = ['names', 'index', 'bytes'];

interface Kind {
  /** `damage`: something recorded is lost, changed or cannot be played. `notice`: worth knowing. */
  readonly severity: 'damage' | 'notice';
  readonly hint: string;
}

const kind = (severity: Kind['severity'], hint: string): Kind => ({ severity, hint });

const rebuild = 'make the index anew from the reel: `reelvault archive recover`';
const backup = 'put the hour back from a backup; what is whole of it goes on being played';
const tampered =
  'somebody or something changed it after it was signed: compare with a backup, and look into the audit trail';

export const findingKinds = {
  'index-missing': kind('damage', rebuild),
  'index-header': kind('damage', rebuild),
  'index-record': kind('damage', rebuild),
  'index-size': kind('damage', rebuild),
  'record-order': kind('damage', rebuild),
  'reel-missing': kind('damage', backup),
  'reel-short': kind('damage', backup),
  'reel-hole': kind('damage', backup),
  'reel-long': kind(
    'notice',
    'the bytes behind the last record are not played: `reelvault archive recover` indexes what is whole of them',
  ),
  'bytes-differ': kind('damage', backup),
  unreadable: kind(
    'damage',
    'the storage below gives errors: see the kernel log and the disk, then put the hour back from a backup',
  ),
  unrecovered: kind(
    'notice',
    'it was being written when the service died: open the volume for writing, which recovers it',
  ),
  'index-set-aside': kind(
    'notice',
    'an index that could not be read and whose reel was gone: look at it, then remove it',
  ),
  'strange-file': kind('notice', 'nothing of ours: remove it when you know what it is'),
  'signature-missing': kind(
    'notice',
    'it is signed when its stream is next recorded into, or its volume next opened for writing, once what keeps it from that is gone (event `archive.unsigned`); one from before the chain began stays so',
  ),
  'signature-gone': kind(
    'damage',
    'somebody or something took it away, and it is not made anew: put it back from a backup, and look into the audit trail',
  ),
  'no-evidence': kind('notice', 'nothing can prove it; record with evidence from now on'),
  'signature-alone': kind('notice', 'its reel was removed; it stays as a link of the chain'),
  'signature-damaged': kind('damage', tampered),
  'signature-key': kind(
    'damage',
    'it is of another host, or forged: check it with the public key of the host that recorded it',
  ),
  'signature-mismatch': kind('damage', tampered),
  'chain-broken': kind('damage', tampered),
  'chain-hole': kind('notice', 'retention removed them, or somebody did: the audit trail says which'),
} as const satisfies Record<string, Kind>;

export type FindingCode = keyof typeof findingKinds;

export interface Finding {
  readonly code: FindingCode;
  readonly severity: 'damage' | 'notice';
  /** Below the volume's root. */
  readonly path: string;
  readonly what: string;
  readonly hint: string;
}

export const finding = (code: FindingCode, path: string, what: string): Finding => ({
  code,
  severity: findingKinds[code].severity,
  path,
  what,
  hint: findingKinds[code].hint,
});

/** `3, 4, 5 and 12 more` */
export const some = (all: readonly (number | string)[], most = 5): string =>
  all.length <= most ? all.join(', ') : `${all.slice(0, most).join(', ')} and ${all.length - most} more`;
