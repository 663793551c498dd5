/** `reelvault serve`: runs the service until it is told to stop. */
import type { Command } from 'commander';
import { readSettings } from '../config/load.ts';
import { variableList } from '../config/variables.ts';
import type { PartEvent } from '../supervisor/part.ts';
import { type Started, Supervisor } from '../supervisor/supervisor.ts';
import type { GlobalOptions } from './global-options.ts';
import { type LeftOpen, leftOpenInWords, openVolumes } from './left-open.ts';
import { onStopSignals } from './stop-signals.ts';

interface Options extends GlobalOptions {
  readonly datapath?: string;
  readonly state?: string;
  readonly config?: string;
  readonly listen?: string;
  readonly webhookUrls?: string;
  readonly webhookSecretFile?: string;
}

const inWords = (event: PartEvent): string => {
  if (event.event === 'started') return `${event.part}: started, process ${event.pid}`;
  const what = event.event === 'died' ? 'ended unexpectedly' : 'could not start';
  return `${event.part}: ${what}: ${event.how}; again in ${event.againInMs} ms`;
};

const welcome = (started: Started): string => {
  const login =
    started.password === undefined
      ? `sign in as ${started.user}`
      : `sign in as ${started.user} with ${started.password}  (shown this once; only its hash is kept)`;
  return `reelvault is ready at ${started.url}/\n${login}\ncertificate: ${started.certificateFile}\n  SHA-256 ${started.fingerprint}`;
};

const environment = (): string =>
  variableList()
    .map(({ name, default: value, description }) => {
      const preset = value === '' ? '' : ` (default: ${value})`;
      return `  ${name}${preset}\n      ${description}`;
    })
    .join('\n');

/** Resolves when all has ended, with the volumes that have not. */
const stopOnSignals = (
  supervisor: Supervisor,
  runtime: string,
  say: (event: object, text: string) => void,
): Promise<LeftOpen[]> =>
  new Promise((resolve, reject) => {
    onStopSignals({
      first: () => {
        say({ event: 'stopping' }, 'stopping: sessions end, then the service; volumes stay open');
        openVolumes(runtime)
          .then(async (volumes) => {
            await supervisor.stop();
            resolve(volumes);
          })
          .catch(reject);
      },
      second: () => {
        const waitingFor = supervisor.waitingFor ?? 'the last process to end';
        const text = `waiting for ${waitingFor}; once more kills it: bytes not yet acknowledged are lost then`;
        say({ event: 'waiting', waitingFor }, text);
      },
      third: () => {
        supervisor.kill().catch(reject);
      },
    });
  });

export const serve = (parent: Command): void => {
  parent
    .command('serve')
    .description('run the service until SIGINT or SIGTERM')
    .option('--datapath <dirs>', 'directories of containers and mount points, colon between them (REELVAULT_DATAPATH)')
    .option('--state <directory>', 'settings, account and certificate (REELVAULT_STATE)')
    .option('--config <file>', 'the configuration file (REELVAULT_CONFIG)')
    .option('--listen <host:port>', 'where HTTPS listens (REELVAULT_LISTEN)')
    .option('--webhook-urls <urls>', 'where events are posted, a space between them (REELVAULT_WEBHOOK_URLS)')
    .option('--webhook-secret-file <file>', 'what they are signed with (REELVAULT_WEBHOOK_SECRET_FILE)')
    .addHelpText(
      'after',
      `
As root it makes the service user and the directories, and runs the privileged helper and the confined daemon.
Without root it runs the daemon alone and uses a helper that is there already.

Settings come from the environment; an option above goes before its variable, and an unknown variable is an error:
${environment()}

Examples:
  reelvault serve
  REELVAULT_DATAPATH=/srv/reels reelvault serve --listen 0.0.0.0:8443
  reelvault serve --webhook-urls https://alerts.example/reelvault --webhook-secret-file /etc/reelvault/webhook`,
    )
    .action(async (_local: object, command: Command) => {
      const { datapath, state, config, listen, runtime, webhookUrls, webhookSecretFile, json } =
        command.optsWithGlobals<Options>();
      const options = { datapath, state, config, listen, runtime, webhookUrls, webhookSecretFile };
      const flags = Object.entries(options).filter(([, value]) => value !== undefined);
      const { settings, given } = readSettings(process.env, Object.fromEntries(flags));
      const say = (event: object, text: string): void => {
        process.stdout.write(json === true ? `${JSON.stringify(event)}\n` : `${text}\n`);
      };
      const supervisor = new Supervisor({
        settings,
        given,
        log: process.stderr,
        onEvent: (event) => say(event, inWords(event)),
      });
      const stopped = stopOnSignals(supervisor, settings.runtime, say);
      const started = await supervisor.start();
      say({ event: 'ready', ...started }, welcome(started));
      const volumes = await stopped;
      say({ event: 'stopped', leftOpen: volumes }, leftOpenInWords(volumes));
      // The signal handlers would keep the process.
      process.exit();
    });
};
