/** Whether anybody listens on a unix socket: the file alone also stays when its process was killed. */
import { once } from 'node:events';
import net from 'node:net';

/** A listener that refuses us (EACCES) is one too. */
export const answersOn = async (path: string): Promise<boolean> => {
  const probe = net.connect(path);
  try {
    await once(probe, 'connect');
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return false;
    if (code === 'EACCES' || code === 'EAGAIN') return true;
    throw error;
  } finally {
    probe.destroy();
  }
};
