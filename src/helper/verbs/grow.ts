import { growVolume } from '../../volume/grow/grow.ts';
import { growProgress } from '../../volume/grow/progress.ts';
import type { growVerbs } from '../protocol/grow.ts';
import { type Handlers, plain } from './handler.ts';

export const growHandlers: Handlers<keyof typeof growVerbs> = {
  grow: async (context, request) => plain(await growVolume(context, request)),
  'grow-progress': async (context, { volume, container }) =>
    plain({ progress: await growProgress(context, volume, container) }),
};
