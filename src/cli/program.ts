/** The command line: all verbs, one file each. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { archive } from './archive.ts';
import { audit } from './audit.ts';
import { auth } from './auth.ts';
import { check } from './check.ts';
import { config } from './config.ts';
import { events } from './events.ts';
import { serve } from './serve.ts';
import { status } from './status.ts';
import { streamDelete } from './stream-delete.ts';
import { streamGaps } from './stream-gaps.ts';
import { streamList } from './stream-list.ts';
import { streamRecord } from './stream-record.ts';
import { streamSchedule } from './stream-schedule.ts';
import { streamSet } from './stream-set.ts';
import { streamShow } from './stream-show.ts';
import { volumeAutoOpen } from './volume-auto-open.ts';
import { volumeBind } from './volume-bind.ts';
import { volumeCreate } from './volume-create.ts';
import { volumeDestroy } from './volume-destroy.ts';
import { volumeGrow } from './volume-grow.ts';
import { volumeHeader } from './volume-header.ts';
import { volumeHolders } from './volume-holders.ts';
import { volumeKey } from './volume-key.ts';
import { volumeLease } from './volume-lease.ts';
import { volumeList } from './volume-list.ts';
import { volumeLock } from './volume-lock.ts';
import { volumeOpen } from './volume-open.ts';
import { volumeReencrypt } from './volume-reencrypt.ts';
import { volumeShow } from './volume-show.ts';
import { volumeUnbind } from './volume-unbind.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Commander would end the process itself; its subcommands take this over only when each is told. */
const overrideExits = (command: Command): void => {
  command.exitOverride();
  for (const child of command.commands) overrideExits(child);
};

/** To be parsed by whoever asked for it. */
export const makeProgram = (): Command => {
  const program = new Command('reelvault')
    // Each verb takes them; its own help says so.
    .configureHelp({ showGlobalOptions: true })
    .description('encrypted DVR storage')
    .version(version)
    .option('--json', 'print JSON, one object a line')
    .option('--runtime <directory>', 'runtime directory of the service (REELVAULT_RUNTIME)')
    .showHelpAfterError('(see reelvault --help)')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 defect, 2 bad request, 3 not allowed or wrong key, 4 not found, 5 state forbids it, 6 damaged data,
7 no space or memory, 8 not available now. The codes of errors are in docs/errors.md.

Examples:
  reelvault serve
  reelvault volume create main --size 500G
  reelvault volume list --json`,
    );

  serve(program);
  status(program);
  events(program);
  audit(program);
  auth(program);
  check(program);
  config(program);
  const volume = program
    .command('volume')
    .description('make, open, lock, list, look after and destroy volumes')
    .addHelpText(
      'after',
      '\nExamples:\n  reelvault volume create main --size 500G\n  reelvault volume list\n  reelvault volume open main --ask',
    );
  const aboutVolumes = [
    volumeCreate,
    volumeOpen,
    volumeLock,
    volumeGrow,
    volumeHolders,
    volumeList,
    volumeShow,
    volumeKey,
    volumeReencrypt,
    volumeAutoOpen,
    volumeBind,
    volumeUnbind,
    volumeLease,
  ];
  for (const verb of [...aboutVolumes, volumeHeader, volumeDestroy]) verb(volume);
  const stream = program
    .command('stream')
    .description('look at streams, record them or not, and forget them')
    .addHelpText(
      'after',
      '\nExamples:\n  reelvault stream list\n  reelvault stream show cam1\n  reelvault stream record cam1 --off --for 2h --reason works\n  reelvault stream delete cam1',
    );
  for (const verb of [streamList, streamShow, streamSet, streamRecord, streamSchedule, streamGaps, streamDelete])
    verb(stream);
  archive(program);
  overrideExits(program);
  return program;
};
