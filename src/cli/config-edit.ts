/** `reelvault config edit`: the text in an editor, saved when that ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import { ReelError } from '../errors.ts';
import type { ConfigSaved, ConfigView } from '../http/config.ts';
import { savedText } from './config-text.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print } from './output.ts';

/** Through a shell, as other programs do: EDITOR may have arguments. */
const runEditor = async (file: string): Promise<void> => {
  const editor = process.env.VISUAL ?? process.env.EDITOR ?? 'editor';
  const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === 0) return;
  throw new ReelError('invalid-argument', {
    expected: `the editor ${editor} to end well`,
    got: `exit code ${code ?? 'none'}; nothing was saved`,
    hint: 'name another one with EDITOR',
  });
};

export const configEdit = (parent: Command): void => {
  parent
    .command('edit')
    .description('edit the text in $EDITOR and save it')
    .addHelpText(
      'after',
      `
A mark such as (secret 1) keeps the secret that it stands for. What could not be saved stays in a file that the error names.

Example:
  EDITOR=nano reelvault config edit`,
    )
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const client = clientOf(options);
      const { value, tag } = await client.getTagged<ConfigView>('/config');
      const folder = await mkdtemp(path.join(os.tmpdir(), 'reelvault-'));
      const file = path.join(folder, 'reelvault.yaml');
      await writeFile(file, value.text, { mode: 0o600 });
      await runEditor(file);
      const text = await readFile(file, 'utf8');
      const isSame = text === value.text;
      const none: ConfigSaved = { changes: [], trial: null };
      const send = () => client.sendYaml<ConfigSaved>('PUT', '/config', text, { 'if-match': tag });
      const saved = isSame ? none : await send().catch((error: unknown) => Promise.reject(keptIn(file, error)));
      await rm(folder, { recursive: true });
      print(options, saved, savedText(saved));
    });
};

/** Half an hour of editing is not thrown away for a colon. */
const keptIn = (file: string, error: unknown): unknown => {
  if (!(error instanceof ReelError)) return error;
  const { expected, got, hint } = error.parts;
  const kept = `the edited text is in ${file}: mend it, then \`reelvault config save ${file}\``;
  return new ReelError(error.code, {
    expected,
    got,
    hint: hint === undefined ? kept : `${hint}; ${kept}`,
    details: error.details,
    cause: error.cause,
  });
};
