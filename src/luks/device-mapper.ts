import { open, readFile } from 'node:fs/promises';

/** Whether the kernel has device-mapper; asking loads the module where it is one. */
export const deviceMapperUsable = async (): Promise<boolean> => {
  try {
    await (await open('/dev/mapper/control', 'r+')).close();
    return true;
  } catch {
    // Without the node libdevmapper makes one itself, if the kernel lists the device.
    return / device-mapper$/m.test(await readFile('/proc/misc', 'utf8'));
  }
};
