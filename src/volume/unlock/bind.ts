import { randomBytes } from 'node:crypto';
import { ReelError, toReelError } from '../../errors.ts';
import type { KeyBound } from '../../helper/protocol/unlock.ts';
import type { Requests } from '../../helper/protocol.ts';
import type { LuksDump } from '../../luks/types.ts';
import { reached, type VolumeContext } from '../context.ts';
import { renewHeaderBackup } from '../headers/backup.ts';
import { type Begun, begin, slotOpenedBy, withCurrent } from '../keys/begin.ts';
import { mostSlots, pbkdfFor } from '../keys/slot.ts';
import { type Binding, bindingOf, clevisToken, pendingToken, tokensOf } from './bindings.ts';
import { decrypt, encrypt } from './clevis.ts';
import type { BindingFacts, Pin } from './jwe.ts';
import { advertisementOf, proveTrusted } from './tang.ts';

/** What a binding is asked to be: what Clevis is told, and how one that is there already is known again. */
interface Wanted {
  readonly pin: Pin;
  readonly config: Readonly<Record<string, unknown>>;
  same(facts: BindingFacts): boolean;
}

/**
 * The procedure "Bind" of docs/unlocking.md. Idempotent. The key of the new slot is in the header, wrapped, before the slot is made: an
 * interrupted call leaves no slot whose key nobody can find. The secret is the caller's.
 */
export const bindKey = async (
  context: VolumeContext,
  request: Requests['unlock-bind'],
  secret: Buffer | undefined,
): Promise<KeyBound> => {
  // 1 container and header, backups as they should be; the key that opens now
  const begun = await begin(context, request);
  const { container, header } = begun;
  if (header.type === 'luks1') {
    throw new ReelError('luks-unsupported', {
      expected: 'a LUKS2 container: bindings are tokens in its header',
      got: 'LUKS1, which has none',
    });
  }
  return withCurrent(begun, request.current, secret, async (current) => {
    await context.luks.testKey(container.path, current);
    // 2 what it is bound to
    const wanted = await wantedBy(context, request);
    const there = await alreadyBound(context, begun, wanted);
    if (there !== undefined) return there;
    // 3 the wrapped key
    const { binding, key } = (await resumed(context, begun, wanted)) ?? (await begunAnew(context, begun, wanted));
    try {
      reached(context, 'bind-wrapped');
      // 4 the slot
      const slot = (await slotOpenedBy(context, container.path, key)) ?? (await add(context, begun, current, key));
      // 5 the token of Clevis
      const body = { type: clevisToken, keyslots: [String(slot)], jwe: binding.jwe };
      await context.luks.importToken(container.path, body, binding.token);
      reached(context, 'bind-token');
      // 6 backup
      await renewHeaderBackup(context, container);
      reached(context, 'bind-backup');
      return { slot, added: true, binding: binding.facts.text };
    } finally {
      key.fill(0);
    }
  });
};

const wantedBy = async ({ unattended = {} }: VolumeContext, request: Requests['unlock-bind']): Promise<Wanted> => {
  if (request.pin === 'tpm2') {
    const { pcrs } = request;
    const config = pcrs === undefined ? {} : { pcr_bank: 'sha256', pcr_ids: pcrs };
    return { pin: 'tpm2', config, same: (facts) => facts.pin === 'tpm2' && facts.pcrs === (pcrs ?? null) };
  }
  const { url: base, thumbprint: thp } = request;
  if (base === undefined || thp === undefined) {
    throw new ReelError('invalid-argument', { expected: 'the URL of Tang and a trusted thumbprint', got: 'less' });
  }
  const advertisement = await advertisementOf(unattended, base);
  proveTrusted(advertisement, thp);
  const { url, jws, exchangeKeys } = advertisement;
  // A server whose keys were renewed since is bound to anew.
  const same = (facts: BindingFacts): boolean => facts.url === url && exchangeKeys.includes(facts.exchangeKey ?? '');
  return { pin: 'tang', config: { url, thp, adv: jws }, same };
};

/** Those of the tokens that can be read and are what is wanted. */
const matching = (header: LuksDump, type: string, wanted: Wanted): Binding[] =>
  tokensOf(header, type).flatMap((token) => {
    try {
      const binding = bindingOf(token);
      return wanted.same(binding.facts) ? [binding] : [];
    } catch (error) {
      if (toReelError(error).code === 'internal') throw error;
      return [];
    }
  });

/** The key of a binding, or undefined where it cannot be had. */
const keyIn = ({ unattended = {} }: VolumeContext, { jwe }: Binding): Promise<Buffer | undefined> =>
  decrypt(unattended, jwe).catch((thrown: unknown) => {
    if (toReelError(thrown).code === 'command-missing') throw thrown;
    return undefined;
  });

/** A binding of this kind that opens. One that does not, because a TPM was cleared, is left, and a new one made. */
const alreadyBound = async (
  context: VolumeContext,
  { container, header }: Begun,
  wanted: Wanted,
): Promise<KeyBound | undefined> => {
  for (const binding of matching(header, clevisToken, wanted)) {
    const key = binding.slot === null ? undefined : await keyIn(context, binding);
    if (key === undefined) continue;
    try {
      const slot = await slotOpenedBy(context, container.path, key);
      if (slot === binding.slot && slot !== undefined) return { slot, added: false, binding: binding.facts.text };
    } finally {
      key.fill(0);
    }
  }
  return undefined;
};

interface Wrapped {
  readonly binding: Binding;
  readonly key: Buffer;
}

/** What an interrupted call left. Only one can be there; of another kind, or without an answer, it is taken away. */
const resumed = async (
  context: VolumeContext,
  { container, header }: Begun,
  wanted: Wanted,
): Promise<Wrapped | undefined> => {
  const [binding] = matching(header, pendingToken, wanted);
  const key = binding === undefined ? undefined : await keyIn(context, binding);
  if (binding !== undefined && key !== undefined) return { binding, key };
  for (const { id } of tokensOf(header, pendingToken)) await context.luks.removeToken(container.path, id);
  return undefined;
};

const hexDigits = Buffer.from('0123456789abcdef');

/** 256 random bits as text, because Clevis’ scripts keep keys in variables. No string of it is made here. */
const randomText = (): Buffer => {
  const random = randomBytes(32);
  const text = Buffer.allocUnsafeSlow(random.length * 2);
  for (const [index, byte] of random.entries()) {
    text[2 * index] = hexDigits[byte >> 4] ?? 0;
    text[2 * index + 1] = hexDigits[byte & 15] ?? 0;
  }
  random.fill(0);
  return text;
};

/** Wraps a new key, proves that it can be unwrapped, and writes it into the header. */
const begunAnew = async (context: VolumeContext, { container }: Begun, wanted: Wanted): Promise<Wrapped> => {
  const { unattended = {} } = context;
  const key = randomText();
  try {
    const jwe = await encrypt(unattended, wanted.pin, wanted.config, key);
    const again = await decrypt(unattended, jwe);
    const whole = again.equals(key);
    again.fill(0);
    if (!whole) throw new ReelError('internal', { expected: 'clevis to give the key back', got: 'another' });
    const body = { type: pendingToken, keyslots: [], jwe };
    const id = await context.luks.importToken(container.path, body);
    return { binding: bindingOf({ id, type: pendingToken, body }), key };
  } catch (error) {
    key.fill(0);
    throw error;
  }
};

const add = async (
  context: VolumeContext,
  { container: { path: file }, header }: Begun,
  current: Buffer,
  key: Buffer,
): Promise<number> => {
  if (header.keyslots.length >= mostSlots[header.type]) {
    const got = `${header.keyslots.length}`;
    throw new ReelError('keyslots-full', { expected: 'a free keyslot', got, hint: 'remove a key first' });
  }
  const slot = await context.luks.addKey(file, current, key, await pbkdfFor(context, header.type, 'recovery'));
  reached(context, 'bind-slot');
  await context.luks.testKey(file, key, slot);
  return slot;
};
