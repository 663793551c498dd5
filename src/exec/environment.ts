/**
 * The environment of every child: nothing of ours leaks in, messages are in English. `PATH` holds the system's directories only,
 * so that a program planted in a directory of the caller's own PATH is never run as root.
 */
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What the caller adds wins, `PATH` included: tests put `fixtures/bin` in front this way. */
export const childEnvironment = (added: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  PATH: systemPath,
  LC_ALL: 'C',
  HOME: '/',
  ...added,
});
