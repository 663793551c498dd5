import { ReelError, toReelError } from '../../errors.ts';
import type { Unlocked } from '../../helper/protocol/unlock.ts';
import type { Requests } from '../../helper/protocol.ts';
import type { Token } from '../../luks/types.ts';
import { reached, type VolumeContext } from '../context.ts';
import { readKeyFile } from '../key-file.ts';
import { look } from '../keys/begin.ts';
import { lookAt } from '../look.ts';
import { openVolume } from '../open.ts';
import { bindingOf, clevisToken, tokensOf } from './bindings.ts';
import { decrypt } from './clevis.ts';
import { readCredential } from './credential.ts';
import type { Attempt, Way } from './way.ts';

interface Source {
  readonly way: Way;
  readonly slot: number | null;
  /** The caller zeroes the answer. */
  key(): Promise<Buffer>;
}

/**
 * Opens a volume without an admin: key file, systemd credential, Clevis bindings in the order of their slots. Each way that fails is
 * remembered with its reason, and the next one is tried; what is wrong with the volume itself ends it at once. Idempotent.
 * Throws `auto-open-failed` with `details.attempts` when no way is left.
 */
export const unlockVolume = async (context: VolumeContext, request: Requests['unlock']): Promise<Unlocked> => {
  const { name } = request;
  const open = { ...request, verb: 'open', key: 'passphrase' } as const;
  const { report } = await lookAt(context, name, { container: request.container });
  if (report.state === 'open' && report.readOnly === null) {
    return { ...(await openVolume(context, open, Buffer.alloc(0))), openedBy: null, attempts: [] };
  }
  const attempts: Attempt[] = [];
  for (const { way, slot, key: find } of await sourcesOf(context, request)) {
    reached(context, `unlock-${way}`);
    let key: Buffer | undefined;
    try {
      key = await find();
      const opened = await openVolume(context, open, key);
      return { ...opened, openedBy: { way, slot }, attempts };
    } catch (thrown) {
      const error = toReelError(thrown);
      // A key was there, and it is not the key that is wrong.
      if (key !== undefined && error.code !== 'wrong-key') throw error;
      attempts.push({ way, slot, code: error.code, reason: error.message });
    } finally {
      key?.fill(0);
    }
  }
  throw new ReelError('auto-open-failed', {
    expected: `a way to open ${name} without an admin`,
    got: attempts.map(({ way, reason }) => `${way}: ${reason}`).join('; '),
    hint: 'it is tried again by itself; or open it with a passphrase or the recovery key',
    details: { attempts },
  });
};

const sourcesOf = async (context: VolumeContext, request: Requests['unlock']): Promise<Source[]> => {
  const { unattended = {} } = context;
  const { paths, header } = await look(context, request);
  const bound = tokensOf(header, clevisToken).map((token) => sourceIn(context, token));
  return [
    { way: 'keyFile', slot: null, key: () => readKeyFile(paths.key) },
    { way: 'credential', slot: null, key: () => readCredential(unattended.credentials, request.name) },
    ...bound.toSorted((one, other) => (one.slot ?? 0) - (other.slot ?? 0)),
  ];
};

/** A binding that must not be used is a way that fails, not the end of the others. */
const sourceIn = ({ unattended = {} }: VolumeContext, token: Token): Source => {
  try {
    const { slot, facts, jwe } = bindingOf(token);
    return { way: facts.pin, slot, key: () => decrypt(unattended, jwe) };
  } catch (error) {
    return { way: 'clevis', slot: null, key: () => Promise.reject(error as Error) };
  }
};
