/** `reelvault archive …`: what is kept, what goes, and how it is proved. */
import type { Command } from 'commander';
import { archiveEpisode } from './archive-episode.ts';
import { archiveKey } from './archive-key.ts';
import { archiveRebuild } from './archive-rebuild.ts';
import { archiveRecover } from './archive-recover.ts';
import { archiveRetention } from './archive-retention.ts';
import { archiveThin } from './archive-thin.ts';
import { archiveVerify } from './archive-verify.ts';

export const archive = (parent: Command): void => {
  const group = parent
    .command('archive')
    .description('what is kept of the recordings, what goes, and how they are proved to others')
    .addHelpText(
      'after',
      '\nWhere there is one volume only, --volume may be left out.\n\nExamples:\n  reelvault archive retention set --max-age 30d --free-minutes 60\n  reelvault archive episode add cam1 --from 2026-11-21T14:00:00Z --to 2026-11-21T15:30:00Z\n  reelvault archive thin --bytes 50G --urgency 2 --dry-run',
    );
  for (const verb of [
    archiveRetention,
    archiveEpisode,
    archiveThin,
    archiveVerify,
    archiveKey,
    archiveRecover,
    archiveRebuild,
  ])
    verb(group);
};
