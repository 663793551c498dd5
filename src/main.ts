/**
 * The daemon's process. Its first line on stdout says that it is ready, or why it cannot run; its log is on stderr. It ends gracefully on
 * SIGTERM, SIGINT, and when its supervisor is gone, however that ended.
 */
import path from 'node:path';
import pino from 'pino';
import { configFileOf, readSettings } from './config/load.ts';
import { logSerializers } from './config/log-serializers.ts';
import { ConfigStore } from './config/store.ts';
import { takeOver } from './daemon/hand-over.ts';
import { Service } from './daemon/service.ts';
import { toReelError } from './errors.ts';
import { onSupervisorGone } from './exec/supervision.ts';
import { forbidDumps } from './native.ts';

/** The launcher tells here what it could confine. */
const confinement = process.env.REELVAULT_CONFINEMENT;

const say = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

/** A defect must end the process, so that the supervisor starts a sound one; what was acknowledged is on disk. */
const endOnDefect = (log: pino.Logger): void => {
  const end = (error: unknown): void => {
    log.fatal({ err: error }, 'unforeseen failure; ending');
    process.exit(70);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
};

const run = async (): Promise<void> => {
  // Passphrases pass through its memory.
  forbidDumps();
  const { settings: border, given } = readSettings(process.env);
  const config = await ConfigStore.open({
    file: configFileOf(border),
    history: path.join(border.state, 'config-history'),
    ...{ border, given, now: Date.now },
    again: process.env.REELVAULT_AGAIN !== undefined,
  });
  const options = { name: 'daemon', level: config.current.tuning.log_level, serializers: logSerializers };
  const log = pino(options, pino.destination({ fd: 2, sync: true }));
  endOnDefect(log);
  // Before anything else reads standard input.
  const webhook = border.webhookSecretFile === '' ? undefined : await takeOver(process.stdin);
  const service = new Service({
    config,
    log,
    now: Date.now,
    webhook,
    confinement: confinement === undefined ? undefined : (JSON.parse(confinement) as Record<string, unknown>),
  });
  const stop = (why: string): void => {
    log.info({ why }, 'stopping');
    service.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.fatal({ err: error }, 'could not stop in order');
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal));
  onSupervisorGone(() => stop('the supervisor is gone'));
  try {
    say({ ready: true, pid: process.pid, ...(await service.start()) });
  } catch (error) {
    await service.close();
    throw error;
  }
};

try {
  await run();
} catch (thrown) {
  const error = toReelError(thrown);
  say({ ready: false, error: error.toJSON() });
  process.exit(error.row.exit);
}
