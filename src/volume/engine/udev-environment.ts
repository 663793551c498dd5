import { existsSync } from 'node:fs';

/**
 * Where no udev daemon runs (containers, small machines), libdevmapper must make the device nodes itself and not wait for udev's
 * answer, which would never come. Where one runs, it must not be passed over.
 */
export const udevEnvironment = (): Record<string, string> =>
  existsSync('/run/udev/control') ? {} : { DM_DISABLE_UDEV: '1' };
