import { fstatSync } from 'node:fs';

/**
 * Calls back once when the process that keeps this one is gone, however it ended: a supervisor holds the other end of standard input.
 * Where standard input is no pipe (systemd gives /dev/null) nobody holds it, and nothing is ever called.
 */
export const onSupervisorGone = (callback: () => void): void => {
  const input = fstatSync(0);
  if (!input.isFIFO() && !input.isSocket()) return;
  process.stdin.once('close', callback).on('error', () => undefined);
  process.stdin.resume();
};
