/**
 * `npm run clean-root -- [--json] [--log FILE] [COMMAND ...]`: runs each command in one clean Debian 12 root,
 * in the clone of the committed HEAD, and says what it took and what it left behind. Without commands: the demo run through, then the tests.
 */
import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { host } from '../command.ts';
import { baseTarball } from './base.ts';
import { CleanRoot } from './clean-root.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, log: { type: 'string' } },
});
const repository = path.resolve(import.meta.dirname, '../..');
const commands = positionals.length > 0 ? positionals : ['npm run demo -- --once --json --keep /root/kept', 'npm test'];

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const log = values.log ?? path.join(await mkdtemp(path.join(os.tmpdir(), 'rv-clean-root-log-')), 'log');
const head = (await host('git', ['-C', repository, 'rev-parse', 'HEAD'])).trim();
const clock = performance.now();
const seconds = (): number => Math.round((performance.now() - clock) / 100) / 10;

const tarball = await baseTarball();
say(`base root: ${seconds()} s`);
const root = await CleanRoot.create();
// Closing takes a while and must not be cut short: mounts of the host's /dev lie in there.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => void root.close().then(() => process.exit(130)));
const results = [];
try {
  await root.populate(tarball, repository);
  say(`clone of ${head.slice(0, 12)} in ${root.path}: ${seconds()} s; log ${log}`);
  for (const command of commands) {
    const result = await root.run(command, log);
    const leftovers = await root.leftovers();
    results.push({ command, ...result, leftovers });
    say(`${command}: exit ${result.exitCode}, ${result.seconds} s: ${result.lastLine.slice(0, 2000)}`);
    for (const left of leftovers) say(`  left behind: ${left}`);
  }
} finally {
  await root.close();
}
const ok = results.every((result) => result.exitCode === 0 && result.leftovers.length === 0);
if (values.json) process.stdout.write(`${JSON.stringify({ head, ok, results, log })}\n`);
process.exitCode = ok ? 0 : 1;
