import path from 'node:path';
import { run } from '../exec/run.ts';
import { findNamespaces } from './holders.ts';

const timeoutMs = 30_000;
/** Nothing of a namespace that somebody else made may be executed, so it is a program of ours that ends where it entered. */
const program = path.resolve(import.meta.dirname, '../../build/Release/unmount-copy');
/** In use (1), or gone meanwhile (3): the caller finds out by the device. */
const okCodes = [0, 1, 3];

/**
 * Unmounts what other mount namespaces inherited of a mount: whoever made a namespace (a service with a private /tmp, a container's
 * supervisor, our own daemon) got a copy of every mount of that time, at the same path, and where the host does not share its mounts that
 * copy stays when ours goes, and keeps the device. A mount at another path was meant, and one that is in use is not touched: the
 * caller finds the device busy then.
 */
export const unmountCopies = async (device: string, point: string): Promise<void> => {
  for (const copy of await findNamespaces(device)) {
    if (copy.path !== point) continue;
    await run(program, [String(copy.pid), device, point], { timeoutMs, okCodes });
  }
};
