/** `reelvault events test`: whether the receivers of the webhook take an event. */
import type { Command } from 'commander';
import type { TestedView } from '../http/webhook.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print, table } from './output.ts';

/** The service waits so long for a receiver that it may as well not be there now. */
const notTaken = 8;

export const eventsTest = (parent: Command): void => {
  parent
    .command('test')
    .description('post a test event to each receiver of the webhook; exit code 8 when one does not take it')
    .addHelpText(
      'after',
      `
Receivers are named when the service is started: REELVAULT_WEBHOOK_URLS, REELVAULT_WEBHOOK_SECRET_FILE.
It is posted at once, whatever is queued, and only once. docs/events.md says how a receiver verifies it.

Examples:
  reelvault events test
  reelvault events test --json | jq '.endpoints[] | select(.delivered | not)'`,
    )
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const answer = await clientOf(options).post<TestedView>('/events/test');
      const rows = answer.endpoints.map(({ endpoint, delivered, status, problem, ms }) => [
        endpoint,
        delivered ? 'taken' : 'not taken',
        `${ms} ms`,
        problem ?? `status ${status}`,
      ]);
      print(options, answer, table(['RECEIVER', 'EVENT', 'TOOK', 'ANSWER'], rows));
      if (answer.endpoints.some(({ delivered }) => !delivered)) process.exitCode = notTaken;
    });
};
