/** The entry of the command line; exit codes are those of the error table. */
import { report } from './output.ts';
import { makeProgram } from './program.ts';

try {
  await makeProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error, process.argv.includes('--json'));
}
