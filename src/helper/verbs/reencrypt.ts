import {
  finishReencryption,
  reencryptionOf,
  resumeReencryption,
  startReencryption,
} from '../../volume/reencrypt/reencrypt.ts';
import type { reencryptVerbs } from '../protocol/reencrypt.ts';
import { type Handlers, plain } from './handler.ts';

export const reencryptHandlers: Handlers<keyof typeof reencryptVerbs> = {
  'reencrypt-start': async (context, request, [secret]) => plain(await startReencryption(context, request, secret)),
  'reencrypt-resume': async (context, request, [secret]) => plain(await resumeReencryption(context, request, secret)),
  'reencrypt-status': async (context, request) => plain(await reencryptionOf(context, request)),
  'reencrypt-finish': async (context, request) => plain(await finishReencryption(context, request)),
};
