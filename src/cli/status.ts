/** `reelvault status`. */
import type { Command } from 'commander';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print, table } from './output.ts';

interface Health {
  readonly ready: boolean;
  readonly parts: Record<string, boolean>;
  readonly details: Record<string, Record<string, unknown>>;
}

export const status = (parent: Command): void => {
  parent
    .command('status')
    .description('whether the service and its parts are up; exit code 8 when one is not')
    .addHelpText('after', '\nExample:\n  reelvault status && echo all is well')
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const health = await clientOf(options).get<Health>('/health');
      const rows = Object.entries(health.parts).map(([name, up]) => [
        name,
        up ? 'up' : 'down',
        Object.entries(health.details[name] ?? {})
          .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
          .join(' '),
      ]);
      print(options, health, table(['PART', 'STATE', 'DETAILS'], rows));
      if (!health.ready) process.exitCode = 8;
    });
};
