import { growVolume } from '../../volume/grow/grow.ts';
import type { growVerbs } from '../protocol/grow.ts';
import { type Handlers, plain } from './handler.ts';

export const growHandlers: Handlers<keyof typeof growVerbs> = {
  grow: async (context, request) => plain(await growVolume(context, request)),
};
