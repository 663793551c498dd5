/** The C++ unit tests, run as their own program: the core must be testable without Node. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');

test('the native unit tests pass', async () => {
  await promisify(execFile)(path.join(root, 'build/Release/native_tests'), ['--no-colors'], { cwd: root });
});
