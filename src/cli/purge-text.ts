/** What a purge took, or would take, in words. */
import type { PurgeReport } from '../archive/retention/report.ts';
import { formatBytes } from '../config/size.ts';
import { table } from './output.ts';
import { formatInstant } from './times.ts';

const row = ({ stream, reels, bytes, from, to, rules }: PurgeReport['streams'][number]): string[] => [
  stream,
  String(reels),
  formatBytes(bytes),
  formatInstant(from),
  formatInstant(to),
  Object.entries(rules)
    .map(([rule, count]) => `${rule} ${count}`)
    .join(', '),
];

export const purgeText = (report: PurgeReport): string => {
  const { dryRun, reels, bytes, short, takesMost, streams } = report;
  const lines = [`${dryRun ? 'would delete' : 'deleted'} ${reels} reels, ${formatBytes(bytes)}`];
  if (short > 0) lines.push(`${formatBytes(short)} less than asked for: nothing else may go`);
  if (dryRun && takesMost) lines.push('that is more than half of the archive: refused without --allow-most');
  if (streams.length > 0) lines.push(table(['STREAM', 'REELS', 'SIZE', 'FROM', 'TO', 'RULES'], streams.map(row)));
  return lines.join('\n');
};
