/** Which skipped tests are honest: a skip whose reason is not known here makes the run fail, so that none can hide. */

export interface Skip {
  /** Path of the test file below the project. */
  readonly file: string;
  readonly name: string;
  readonly reason: string;
}

/** The file whose tests run the suites of the kernel engine on a kernel that has one; each is named after the suite's file. */
export const vmSuites = 'test/vm/volume.test.ts';

/** What every run of the whole suite takes into the virtual machine; `npm run test:vm` takes all, too long under emulation for every run. */
export const vmContract: readonly string[] = ['test/volume/cycle.test.ts', 'test/volume/operations.test.ts'];

/** What a machine may lack without a defect of ours, and without anything installing it. */
const capabilities: readonly RegExp[] = [
  /^needs root \(/,
  /^needs an x86-64 host/,
  /^needs \/usr\/bin\/chromium$/,
  /^bind mounts are not allowed here$/,
  /^this kernel has device-mapper$/,
];

/** Here the kernel engine cannot run; a suite of the contract must have passed in the virtual machine instead. */
const inMachine = /^the kernel has (no device-mapper|device-mapper but not dm-crypt)$/;

export interface Run {
  readonly skips: readonly Skip[];
  /** What passed in `vmSuites`, by name. */
  readonly vmPassed: ReadonlySet<string>;
  /** Everything was run, and not some named files or tests: only then can the virtual machine be asked for. */
  readonly whole: boolean;
}

/** The skips that make the run fail, each with why. */
export const dishonestSkips = ({ skips, vmPassed, whole }: Run): string[] => {
  const noMachine = skips.some(
    ({ file, reason }) => file === vmSuites && capabilities.some((each) => each.test(reason)),
  );
  return skips.flatMap(({ file, name, reason }) => {
    if (capabilities.some((each) => each.test(reason))) return [];
    if (!inMachine.test(reason)) return [`${file}: ${name}: "${reason}" is no known reason for a skip (test/skips.ts)`];
    if (!whole || noMachine || !vmContract.includes(file) || vmPassed.has(file)) return [];
    return [`${file}: ${name}: skipped here, and it did not pass in the virtual machine either`];
  });
};
