/** `reelvault status`. */
import type { Command } from 'commander';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print, table } from './output.ts';

interface Health {
  readonly ready: boolean;
  readonly parts: Record<string, boolean>;
  readonly details: Record<string, Record<string, unknown>>;
}

/** A value of the details for people: lists by commas, what has parts in parentheses, nothing as `none`. `--json` has it exactly. */
export const inWords = (value: unknown): string => {
  if (value === null || value === undefined) return 'none';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(inWords).join(', ');
  const parts = Object.entries(value).map(([key, part]) => `${key} ${inWords(part)}`);
  return parts.length === 0 ? 'none' : `(${parts.join(', ')})`;
};

export const status = (parent: Command): void => {
  parent
    .command('status')
    .description('whether the service and its parts are up; exit code 8 when one is not')
    .addHelpText(
      'after',
      `
Exit code 8: some part is down, and for that one volume is enough: one that failed, or is paused as full or otherwise in trouble (the part \`volumes\`),
or one from which nothing is deleted although its rules ask for it (\`retention\`). The service may run all the same. Whether it runs is \`alive\`
in the JSON, and each part has its own word there; without an answer there is no JSON, and the exit code is 8 too.

Examples:
  reelvault status && echo all is well
  reelvault status --json | jq -e .alive             the service alone
  reelvault status --json | jq -e .parts.recorder    one part alone`,
    )
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const health = await clientOf(options).get<Health>('/health');
      const rows = Object.entries(health.parts).map(([name, up]) => [
        name,
        up ? 'up' : 'down',
        Object.entries(health.details[name] ?? {})
          .map(([key, value]) => `${key}: ${inWords(value)}`)
          .join('; '),
      ]);
      print(options, health, table(['PART', 'STATE', 'DETAILS'], rows));
      if (!health.ready) process.exitCode = 8;
    });
};
