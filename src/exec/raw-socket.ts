import type { Socket } from 'node:net';
import { ReelError } from '../errors.ts';

/**
 * The descriptor below a Node socket. Node offers no public way to it, and neither SO_PEERCRED nor SCM_RIGHTS can be had without. The
 * handle is libuv's stream wrap, whose `fd` Node itself uses to hand sockets to children. The socket keeps owning it.
 */
export const descriptorOf = (socket: Socket): number => {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } | null };
  if (typeof handle?.fd === 'number' && handle.fd >= 0) return handle.fd;
  throw new ReelError('helper-protocol', { expected: 'a connected socket', got: 'one that was closed' });
};
