/** The entry of the command line; exit codes are those of the error table. */
import { explainLineEnd } from './current-key.ts';
import { report } from './output.ts';
import { makeProgram } from './program.ts';

try {
  await makeProgram().parseAsync();
} catch (error) {
  process.exitCode = report(explainLineEnd(error), process.argv.includes('--json'));
}
