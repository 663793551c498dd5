import { slamVolume } from '../../volume/slam/slam.ts';
import type { slamVerbs } from '../protocol/slam.ts';
import { type Handlers, plain } from './handler.ts';

export const slamHandlers: Handlers<keyof typeof slamVerbs> = {
  slam: async (context, request, _secrets, caller) => plain(await slamVolume(context, request, caller.pid)),
};
