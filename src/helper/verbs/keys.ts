import { addKey } from '../../volume/keys/add.ts';
import { changeKey } from '../../volume/keys/change.ts';
import { listKeys } from '../../volume/keys/list.ts';
import { removeKey } from '../../volume/keys/remove.ts';
import { rotateKeyFile } from '../../volume/keys/rotate.ts';
import type { keysVerbs } from '../protocol/keys.ts';
import { type Handlers, plain } from './handler.ts';

/** `checkSecrets` has seen to it that there are as many secrets as a verb names. */
const nothing = Buffer.alloc(0);

export const keysHandlers: Handlers<keyof typeof keysVerbs> = {
  'keys-list': async (context, request) => plain(await listKeys(context, request)),
  'keys-add': async (context, request, secrets) => plain(await addKey(context, request, secrets)),
  'keys-change': async (context, request, [old = nothing, fresh = nothing]) =>
    plain(await changeKey(context, request, old, fresh)),
  'keys-remove': async (context, request, secrets) => plain(await removeKey(context, request, secrets)),
  'keys-rotate': async (context, request) => plain(await rotateKeyFile(context, request)),
};
