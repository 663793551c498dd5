import { bindKey } from '../../volume/unlock/bind.ts';
import { advertisementOf } from '../../volume/unlock/tang.ts';
import { unbindKey } from '../../volume/unlock/unbind.ts';
import { unlockVolume } from '../../volume/unlock/unlock.ts';
import type { unlockVerbs } from '../protocol/unlock.ts';
import { type Handlers, plain } from './handler.ts';
import { rootDescriptor } from './root-descriptor.ts';

export const unlockHandlers: Handlers<keyof typeof unlockVerbs> = {
  unlock: async (context, request) => {
    const result = await unlockVolume(context, request);
    return { result, fd: await rootDescriptor(result) };
  },
  'unlock-bind': async (context, request, [secret]) => plain(await bindKey(context, request, secret)),
  'unlock-unbind': async (context, request, secrets) => plain(await unbindKey(context, request, secrets)),
  'unlock-tang': async ({ unattended = {} }, { url }) => {
    const { url: base, thumbprints } = await advertisementOf(unattended, url);
    return plain({ url: base, thumbprints });
  },
};
