import type { machineVerbs } from '../protocol/machine.ts';
import { type Handlers, plain } from './handler.ts';

export const machineHandlers: Handlers<keyof typeof machineVerbs> = {
  probe: async ({ engines, layout }) => {
    const [kernel, userspace] = await Promise.all([engines.kernel.probe(), engines.userspace.probe()]);
    return plain({ engines: { kernel, userspace }, datapath: layout.datapath, pid: process.pid });
  },
  progress: async ({ progress }, { name }) => plain({ progress: progress.of(name) }),
};
