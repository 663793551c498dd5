import { sizeText } from '../../config/size.ts';
import type { ErrorCode } from '../../errors.ts';
import { isReencrypting } from '../reencryption.ts';
import { layoutOf } from './header-areas.ts';
import { isWhole } from './luks2-copy.ts';
import type { Header } from './read-header.ts';

/** Something about a header that is not as it must be. */
export interface Finding {
  readonly kind:
    | 'no-header'
    | 'header-damaged'
    | 'primary-damaged'
    | 'secondary-damaged'
    | 'copies-differ'
    | 'areas'
    | 'too-short'
    | 'shrunk'
    | 'other-uuid'
    | 'reencrypting'
    | 'requirement'
    | 'null-cipher'
    | 'integrity'
    | 'detached'
    | 'no-keyslot';
  /** What an open is refused with; null where the container opens all the same. */
  readonly refusal: ErrorCode | null;
  readonly text: string;
}

/** What is known of the container from elsewhere. */
export interface Registered {
  readonly uuid?: string | undefined;
  /** Bytes. */
  readonly size?: number | undefined;
}

type Readable = Extract<Header, { type: 'luks1' | 'luks2' }>;

const sectorSizes = [512, 1024, 2048, 4096];
const mostKeyBytes = 1024;
/** The kernel's names, `capi:authenc(hmac(sha256),xts(aes))-random` the longest kind of them. */
const cipherName = /^[\w:(),.-]{1,100}$/;

export const uuidOf = (header: Readable): string => (header.type === 'luks1' ? header.luks1.uuid : header.current.uuid);

const copies = (header: Readable): Finding[] => {
  if (header.type === 'luks1' || header.agree) return [];
  const broken = [header.primary, header.secondary].flatMap((copy) =>
    isWhole(copy)
      ? []
      : [{ kind: `${copy.place}-damaged`, refusal: null, text: `${copy.place} header: ${copy.problem}` } as const],
  );
  if (broken.length > 0) return broken;
  return [{ kind: 'copies-differ', refusal: null, text: 'the two header copies are not of the same write' }];
};

const metadata = (header: Readable): Finding[] => {
  if (header.type === 'luks1') {
    const none = header.luks1.slots.every((slot) => !slot.active);
    const findings: Finding[] = none ? [{ kind: 'no-keyslot', refusal: 'no-keyslot', text: 'no key slot in use' }] : [];
    if (!header.luks1.cipher.startsWith('cipher_null')) return findings;
    return [...findings, { kind: 'null-cipher', refusal: 'luks-unsupported', text: 'data that is not encrypted' }];
  }
  const { keyslots, segments, config } = header.current.metadata;
  const findings: Finding[] = [];
  const add = (kind: Finding['kind'], refusal: ErrorCode | null, text: string): unknown =>
    findings.push({ kind, refusal, text });
  const required = config.requirements?.mandatory ?? [];
  for (const name of required) {
    // Whether an unfinished reencryption opens is the engine's to say: cryptsetup takes it up, the userspace engine does not.
    if (isReencrypting({ requirements: [name] }))
      add('reencrypting', null, 'a new volume key that is not written to the end');
    else add('requirement', 'luks-unsupported', `the requirement ${name}`);
  }
  if (Object.keys(keyslots).length === 0) add('no-keyslot', 'no-keyslot', 'no keyslot: the container was erased');
  for (const [slot, { key_size: bytes, area }] of Object.entries(keyslots)) {
    if (bytes < 1 || bytes > mostKeyBytes) add('areas', 'luks-damaged', `a key of ${bytes} bytes in keyslot ${slot}`);
    if (area.encryption?.startsWith('cipher_null')) {
      add('null-cipher', 'luks-unsupported', `keyslot ${slot} that is not encrypted`);
    }
  }
  for (const [number, { encryption, integrity, sector_size: sector }] of Object.entries(segments)) {
    if (encryption?.startsWith('cipher_null')) add('null-cipher', 'luks-unsupported', 'data that is not encrypted');
    // dm-integrity keeps a journal and sums of its own between the container and dm-crypt: another layer than either engine knows.
    if (integrity !== undefined) add('integrity', 'luks-unsupported', 'data with integrity sums');
    if (encryption !== undefined && !cipherName.test(encryption)) {
      add('areas', 'luks-damaged', `a cipher with a name of ${encryption.length} characters in segment ${number}`);
    }
    if (sector !== undefined && !sectorSizes.includes(sector)) {
      add('areas', 'luks-damaged', `sectors of ${sector} bytes in segment ${number}`);
    }
  }
  return findings;
};

const places = (header: Readable, { size: registered }: Registered): Finding[] => {
  const { size } = header;
  const { payload, leastBytes, problems } = layoutOf(header);
  const findings = problems.map((text): Finding => ({ kind: 'areas', refusal: 'luks-damaged', text }));
  if (payload === 0) {
    findings.push({ kind: 'detached', refusal: 'luks-unsupported', text: 'a payload in another file' });
  } else if (size < leastBytes) {
    const text = `${sizeText(size)}, where the header needs ${sizeText(leastBytes)}`;
    findings.push({ kind: 'too-short', refusal: 'container-short', text });
  }
  if (registered !== undefined && size < registered) {
    const text = `${sizeText(size)}, where it had ${sizeText(registered)}`;
    findings.push({ kind: 'shrunk', refusal: 'container-short', text });
  }
  return findings;
};

/** Everything that is wrong, worst first. An empty answer: the header is whole and goes with its file. */
export const findingsOf = (header: Header, registered: Registered = {}): Finding[] => {
  if (header.type === 'none') return [{ kind: 'no-header', refusal: 'not-luks', text: 'no LUKS header' }];
  if (header.type === 'damaged') return [{ kind: 'header-damaged', refusal: 'luks-damaged', text: header.problem }];
  const uuid = uuidOf(header);
  const other: Finding[] =
    registered.uuid === undefined || registered.uuid === uuid
      ? []
      : [{ kind: 'other-uuid', refusal: 'container-replaced', text: `the container ${uuid}, not ${registered.uuid}` }];
  return [...other, ...places(header, registered), ...metadata(header), ...copies(header)];
};
