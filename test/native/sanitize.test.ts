/** The core's unit tests under AddressSanitizer with UndefinedBehaviorSanitizer, and under ThreadSanitizer. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');
// The exhaustive ones repeat one path of the code thousands of times; ThreadSanitizer does not follow a fork.
const left = { 'address,undefined': '*cut at every byte*', thread: '*cut at every byte*,*killed at any moment*' };

for (const [sanitizer, exclude] of Object.entries(left)) {
  test(`no report of -fsanitize=${sanitizer}`, async () => {
    const build = path.join(root, 'build', `sanitize-${sanitizer.replace(',', '-')}`);
    const script = path.join(import.meta.dirname, 'sanitize.sh');
    await promisify(execFile)('sh', [script, sanitizer, build, `--test-case-exclude=${exclude}`], {
      maxBuffer: 1 << 26,
    });
  });
}
