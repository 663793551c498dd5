/** `reelvault config set`, `unset` and `save`. */
import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import type { Command } from 'commander';
import { type MergePatch, mergePatch } from '../config/file/edit.ts';
import { parseConfigText } from '../config/file/parse.ts';
import { marksAt, type SchemaNode } from '../config/file/schema-facts.ts';
import { configSchema } from '../config/sections.ts';
import { ReelError } from '../errors.ts';
import type { ConfigSaved } from '../http/config.ts';
import { savedText } from './config-text.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';

const refuse = (expected: string, got: string, hint?: string): never => {
  throw new ReelError('invalid-argument', { expected, got, ...(hint === undefined ? {} : { hint }) });
};

const nested = (key: string, value: unknown): MergePatch =>
  key.split('.').reduceRight<unknown>((inner, part) => ({ [part]: inner }), value) as MergePatch;

/** As it would be read from the file: `5000`, `debug`, `[volume.*]`. */
const readValue = (key: string, text: string): unknown => {
  const { problems, values } = parseConfigText(`value: ${text.trimEnd()}\n`);
  if (problems.length > 0 || Object.keys(values).length !== 1)
    return refuse(
      `a value for ${key} as it would stand in the file`,
      'something else',
      'quote a text that has signs in it',
    );
  return values.value;
};

const assigned = (assignment: string): MergePatch => {
  const [, key, text] = /^([^=\s]+)=(.*)$/s.exec(assignment) ?? [];
  if (key === undefined || text === undefined) return refuse('KEY=VALUE', 'something else');
  if (marksAt(configSchema as SchemaNode, key.split('.')).secret === true)
    return refuse(
      `${key} from standard input`,
      'it on the command line, which everybody on the machine sees',
      `give it with --stdin ${key}`,
    );
  return nested(key, readValue(key, text));
};

const send = async (options: GlobalOptions, patch: MergePatch): Promise<void> => {
  const saved = await clientOf(options).patchJson<ConfigSaved>('/config', patch);
  print(options, saved, savedText(saved));
};

const set = (parent: Command): void => {
  parent
    .command('set [assignments...]')
    .description('set keys; comments in the file stay')
    .option('--stdin <key>', 'read the value of this key, which may be a secret, from standard input')
    .addHelpText(
      'after',
      `
A value is written as in the file; a list replaces the whole list.

Examples:
  reelvault config set tuning.segment_ms=2000 tuning.log_level=debug
  reelvault config set 'webhook.types=[volume.*, stream.failed]'
  echo '[https://alerts.example/hook]' | reelvault config set --stdin webhook.urls`,
    )
    .action(async (assignments: string[], _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly stdin?: string }>();
      const { stdin } = options;
      const secret = stdin === undefined ? [] : [nested(stdin, readValue(stdin, await textOf(process.stdin)))];
      const patches = [...assignments.map(assigned), ...secret];
      if (patches.length === 0) refuse('KEY=VALUE', 'nothing');
      await send(options, patches.reduce(mergePatch));
    });
};

const unset = (parent: Command): void => {
  parent
    .command('unset <keys...>')
    .description('take keys away: their defaults hold')
    .addHelpText('after', '\nExample:\n  reelvault config unset tuning.segment_ms')
    .action(async (keys: string[], _local: object, command: Command) => {
      await send(command.optsWithGlobals<GlobalOptions>(), keys.map((key) => nested(key, null)).reduce(mergePatch));
    });
};

const save = (parent: Command): void => {
  parent
    .command('save <file>')
    .description('save the text of a file as the configuration; - reads standard input')
    .option('--if-match <tag>', 'only where the configuration is still the one with this ETag', '*')
    .addHelpText('after', '\nExamples:\n  reelvault config save new.yaml\n  reelvault config save - < new.yaml')
    .action(async (file: string, _local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { readonly ifMatch: string }>();
      const text = file === '-' ? await textOf(process.stdin) : await readFile(file, 'utf8').catch(unreadable(file));
      const headers = { 'if-match': options.ifMatch };
      const saved = await clientOf(options).sendYaml<ConfigSaved>('PUT', '/config', text, headers);
      print(options, saved, savedText(saved));
    });
};

const unreadable =
  (file: string) =>
  (error: NodeJS.ErrnoException): never =>
    refuse('a file that can be read', `${error.code ?? error.message}: ${file}`);

export const configChange = (parent: Command): void => {
  for (const verb of [set, unset, save]) verb(parent);
};
