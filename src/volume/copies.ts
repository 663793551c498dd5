import { run } from '../exec/run.ts';
import { findNamespaces } from './holders.ts';

const timeoutMs = 30_000;
const anyCode = Array.from({ length: 256 }, (_, code) => code);

/**
 * Unmounts what other mount namespaces inherited of a mount: whoever made a namespace (a service with a private /tmp, a container's
 * supervisor, our own daemon) got a copy of every mount of that time, at the same path, and where the host does not share its mounts that
 * copy stays when ours goes, and keeps the device. A mount at another path was meant, and one that is in use is not touched: the
 * caller finds the device busy then.
 */
export const unmountCopies = async (device: string, point: string): Promise<void> => {
  for (const { pid, path } of await findNamespaces(device)) {
    if (path !== point) continue;
    await run('nsenter', ['--target', String(pid), '--mount', 'umount', point], { timeoutMs, okCodes: anyCode });
  }
};
