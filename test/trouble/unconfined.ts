/**
 * As `reelvault --json serve`, but helper and daemon have the environment of this, and the daemon is not confined: whatever is to be preloaded into
 * them is. A part that dies is not started again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ensureAdmin } from '../../src/auth/admin-store.ts';
import { loadSettings } from '../../src/config/load.ts';
import { prepareDirectories } from '../../src/supervisor/directories.ts';
import { ensureServiceUser } from '../../src/supervisor/service-user.ts';

const source = path.resolve(import.meta.dirname, '../../src');
const settings = loadSettings(process.env);
const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`);

/** Resolves with what it says when it is ready. */
const startPart = async (part: string, main: string, args: readonly string[]) => {
  // Standard input ends with this process, and with it the part.
  const child = spawn(process.execPath, [path.join(source, main), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  say({ event: 'started', part, pid: child.pid });
  return { child, ready: JSON.parse(line) as { ready: boolean; url?: string } };
};

const end = async (child: ChildProcess): Promise<void> => {
  const ended = once(child, 'exit');
  if (child.exitCode === null && child.signalCode === null && child.kill()) await ended;
};

const account = await ensureServiceUser(settings.serviceUser);
await prepareDirectories(settings, account);
const admin = await ensureAdmin(settings.state);
const helper = await startPart('helper', 'helper/main.ts', [
  '--uid',
  String(account.uid),
  '--gid',
  String(account.gid),
]);
const daemon = await startPart('daemon', 'main.ts', []);
process.once('SIGTERM', async () => {
  await end(daemon.child);
  await end(helper.child);
  process.exit();
});
say({ event: daemon.ready.ready ? 'ready' : 'refused', ...daemon.ready, ...admin });
