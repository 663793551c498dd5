/** `reelvault auth explain`: which rule would decide a request, and why. */
import type { Command } from 'commander';
import { type Step, stepLine } from '../auth/rules/decision.ts';
import type { Explanation } from '../http/access-rules.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';

interface Options extends GlobalOptions {
  readonly as?: string;
  readonly from?: string;
  readonly origin?: string;
  readonly listener?: string;
}

const outcomes: Readonly<Record<Explanation['outcome'], string>> = {
  allowed: 'allowed',
  unauthorized: 'denied: 401, other credentials might help',
  forbidden: 'denied: 403',
  undecided: 'the rules of the service itself count',
};

const about = ({ route, command, stream, listener }: Explanation['request']): string => {
  const kind = command === null ? 'web' : `the command ${command}`;
  const of = stream === null ? '' : ` of the stream ${stream}`;
  return `${kind}${of}, through the listener ${listener}${route === null ? '; no route answers' : ''}`;
};

export const explanationText = (told: Explanation): string => {
  const { connectionsPerUser, seconds } = told.limits;
  const limits = [
    ...(connectionsPerUser === null ? [] : [`at most ${connectionsPerUser} connections of the user`]),
    ...(seconds === null ? [] : [`for at most ${seconds} s`]),
  ];
  return [
    `${outcomes[told.outcome]}`,
    `because: ${told.why}`,
    `asked:   ${about(told.request)}`,
    ...(limits.length === 0 ? [] : [`limits:  ${limits.join(', ')}`]),
    ...(told.steps as Step[]).map((step) => `  ${stepLine(step)}`),
  ].join('\n');
};

export const authExplain = (parent: Command): void => {
  parent
    .command('explain')
    .description('which access rule would decide a request, and why')
    .argument('<method>', 'such as GET')
    .argument('<url>', 'path and query, or a whole URL')
    .option('--as <user>', 'who comes, with the right password; nobody without it')
    .option('--from <address>', 'from where', '127.0.0.1')
    .option('--origin <origin>', 'the header Origin')
    .option('--listener <name>', 'through which listener', 'default')
    .addHelpText(
      'after',
      `
Nobody is asked and nothing is done: of a role of type url the answer ok is assumed, and roles of type jwt and ticket match nobody.

Examples:
  reelvault auth explain GET /cam1/index.m3u8
  reelvault auth explain PUT /ingest/cam1 --as encoder --from 192.0.2.7
  reelvault auth explain POST /api/v1/volumes/main/lock --as friend --json`,
    )
    .action(async (method: string, url: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { as: user, from: address, origin, listener } = options;
      const told = await clientOf(options).postJson<Explanation>('/auth/explain', {
        ...{ method, url, address, listener },
        ...(user === undefined ? {} : { user }),
        ...(origin === undefined ? {} : { origin }),
      });
      print(options, told, explanationText(told));
    });
};
