/**
 * The entry of the helper process: `node src/helper/main.ts --uid N --gid N [--datapath A:B] [--runtime DIR]`. User and group are those
 * of the service. Its first line on stdout says that it is ready, or why it cannot run. Ends at SIGTERM and when its
 * supervisor is gone, after the verbs that run; open volumes stay open.
 */
import { parseArgs } from 'node:util';
import pino from 'pino';
import { loadSettings } from '../config/load.ts';
import { logSerializers } from '../config/log-serializers.ts';
import { ReelError, toReelError } from '../errors.ts';
import { onSupervisorGone } from '../exec/supervision.ts';
import { forbidDumps } from '../native.ts';
import type { Unattended } from '../volume/unlock/way.ts';
import { startHelper } from './start.ts';

const say = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

const identifier = (name: string, text: string | undefined): number => {
  if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text);
  throw new ReelError('config-invalid', { expected: `a number for --${name}`, got: text ?? 'nothing' });
};

/** Where the machine keeps what opens volumes without an admin; docs/unlocking.md. */
const unattendedOf = ({ CREDENTIALS_DIRECTORY: credentials, TPM2TOOLS_TCTI: tcti }: NodeJS.ProcessEnv): Unattended => ({
  ...(credentials === undefined ? {} : { credentials }),
  ...(tcti === undefined ? {} : { env: { TPM2TOOLS_TCTI: tcti } }),
});

const log = pino({ name: 'helper', serializers: logSerializers }, pino.destination({ fd: 2, sync: true }));
try {
  forbidDumps();
  const { values } = parseArgs({
    options: {
      uid: { type: 'string' },
      gid: { type: 'string' },
      datapath: { type: 'string' },
      runtime: { type: 'string' },
    },
  });
  const { uid, gid, ...flags } = values;
  const settings = loadSettings(process.env, flags);
  const { datapath, datapathOwner, runtime, headerCopies, devices, logLevel, hangMs } = settings;
  log.level = logLevel;
  const service = { uid: identifier('uid', uid), gid: identifier('gid', gid) };
  const server = await startHelper({
    datapath,
    datapathOwner,
    runtime,
    headerCopies,
    devices,
    service,
    log,
    unattended: unattendedOf(process.env),
    watch: { hangMs },
  });
  log.info({ pid: process.pid }, 'ready');
  const end = (): void => {
    void server.close().then(() => process.exit(0));
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
  onSupervisorGone(end);
  say({ ready: true, pid: process.pid });
} catch (thrown) {
  const error = toReelError(thrown);
  // Whoever started it tells what this line says; of a defect the stack is wanted, too.
  if (error.code === 'internal') log.fatal({ err: error }, 'cannot start');
  say({ ready: false, error: error.toJSON() });
  process.exitCode = error.row.exit;
}
