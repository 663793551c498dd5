/** `reelvault auth …`: rules of access, looked at and taken over. */
import type { Command } from 'commander';
import { authExplain } from './auth-explain.ts';
import { authImportIcecast } from './auth-import-icecast.ts';

export const auth = (parent: Command): void => {
  const group = parent
    .command('auth')
    .description('who may do what: rules of access')
    .addHelpText(
      'after',
      '\ndocs/access-rules.md has every word of the rules.\n\nExamples:\n  reelvault auth explain GET /cam1/index.m3u8 --as friend',
    );
  for (const verb of [authExplain, authImportIcecast]) verb(group);
};
