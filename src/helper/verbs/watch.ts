import { factsOf } from '../../volume/watch/facts.ts';
import type { watchVerbs } from '../protocol/watch.ts';
import { type Handlers, plain } from './handler.ts';

export const watchHandlers: Handlers<keyof typeof watchVerbs> = {
  watch: async (context, { volumes, hangMs }) => {
    if (hangMs !== undefined) context.watch.planes.hangMs = hangMs;
    return plain({ volumes: await Promise.all(volumes.map((volume) => factsOf(context, volume))) });
  },
};
