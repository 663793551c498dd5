/** What the verbs of the configuration say of a change. */
import type { ConfigSaved } from '../http/config.ts';

const value = (of: unknown): string =>
  of === undefined || of === null ? 'nothing' : typeof of === 'string' ? of : JSON.stringify(of);

const shorter = (text: string): string => (text.length <= 60 ? text : `${text.slice(0, 60)}…`);

export const savedText = ({ changes, trial }: ConfigSaved): string => {
  const lines = changes.map(
    ({ key, from, to, applies }) => `${key}: ${shorter(value(from))} → ${shorter(value(to))}, ${applies}`,
  );
  const all = lines.length === 0 ? ['no key has another value'] : lines;
  if (trial === null) return all.join('\n');
  return `${all.join('\n')}\non trial until ${trial.until}: it could cut you off, so sign in again and keep it with\n  reelvault config confirm ${trial.id}\nor it is taken back then`;
};
