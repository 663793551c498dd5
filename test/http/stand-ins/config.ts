/** Stands for the configuration: what reaches it is noted. */
import type { ConfigPart } from '../../../src/http/config.ts';
import type { Seen } from './seen.ts';

export const configStandIn = ({ note }: Seen): ConfigPart => {
  const saved = { changes: [], trial: null };
  const none = { overridden: [], waiting: [], problems: [], locked: null, trial: null };
  return {
    view: async () => ({
      tag: '"tag"',
      view: { file: '/etc/reelvault/reelvault.yaml', text: '', values: {}, ...none },
    }),
    change: async ({ by, ...change }) => {
      note('config', by, change);
      return saved;
    },
    validate: async (text) => {
      note('config validate', text ?? 'the file');
      return [];
    },
    history: async () => [{ id: 1, time: '2026-11-23T10:00:00.000Z', by: 'the file', how: 'file' }],
    diff: async () => '',
    rollback: async (id, by) => {
      note('config rollback', by, { id });
      return saved;
    },
    confirm: async (id) => {
      note('config confirm', id);
      return saved;
    },
    cancel: async (id, by) => note('config cancel', by, { id }),
  };
};
