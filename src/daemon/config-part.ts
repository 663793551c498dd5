/** The configuration in the daemon: what the API asks of it, who is told of its changes, and what the parts take from it while they run. */
import type { Logger } from 'pino';
import type { AccessControl } from '../auth/rules/control.ts';
import type { ConfigNews } from '../config/file/change.ts';
import { unifiedDiff } from '../config/file/diff.ts';
import { configLock } from '../config/file/lock.ts';
import { bothWithoutSecrets, valuesWithoutSecrets, withoutSecrets } from '../config/file/secrets.ts';
import type { Trial } from '../config/file/trial.ts';
import { accessRulesOf, listenOf } from '../config/sections.ts';
import type { ConfigStore } from '../config/store.ts';
import { variableOf } from '../config/variables.ts';
import type { EventBus } from '../events/bus.ts';
import type { Webhook } from '../events/webhook/webhook.ts';
import type { ConfigPart, ConfigSaved } from '../http/config.ts';
import type { Listeners } from '../http/listeners.ts';
import type { Limits } from '../volume/manager/limits.ts';

const mib = 1024 * 1024;

/** Reserves as they are configured at the time somebody asks. */
export const tunedLimits = (config: ConfigStore, recordingRate: Limits['recordingRate']): Limits => ({
  recordingRate,
  get hostReserve() {
    return config.current.tuning.host_reserve_mib * mib;
  },
  get volumeReserve() {
    return config.current.tuning.volume_reserve_mib * mib;
  },
});

/** Parts that do not ask each time. The loggers of what runs already have a level of their own: `loggers` names those that live as long as the service. */
export const takeChanges = (
  config: ConfigStore,
  parts: {
    readonly listeners: Listeners;
    readonly access: AccessControl;
    readonly webhook: Webhook | undefined;
    readonly loggers: readonly { level: string }[];
  },
): void => {
  const { listeners, access, webhook, loggers } = parts;
  config.onChange('the HTTPS listener', (changed) => {
    const { listenHost: host, listenPort: port } = listenOf(changed);
    return listeners.move({ host, port });
  });
  config.onChange('the access rules', (changed) => access.replace(accessRulesOf(changed)));
  config.onChange('the webhook', ({ webhook: { urls, types } }) => webhook?.change({ urls, types }));
  config.onChange('the log', ({ tuning: { log_level: level } }) => {
    for (const logger of loggers) logger.level = level;
  });
};

const keysOf = (changes: Trial['changes']): string[] => changes.map(({ key }) => key);

/** No values: an event goes to whoever listens. */
export const tellConfig =
  (events: EventBus, log: Logger, file: string): ((news: ConfigNews) => void) =>
  (news) => {
    const tell = (type: string, facts: Readonly<Record<string, unknown>>, level: 'info' | 'warn' | 'error'): void => {
      log[level]({ ...facts, file }, type);
      events.publish({ type, facts });
    };
    if (news.what === 'changed')
      tell('config.changed', { by: news.by, how: news.how, keys: keysOf(news.changes) }, 'info');
    else if (news.what === 'wrong') tell('config.wrong', { problems: news.problems.slice(0, 10) }, 'error');
    else if (news.what === 'right') tell('config.right', {}, 'info');
    else if (news.what === 'trouble') tell('config.trouble', { reason: news.error.message }, 'error');
    else {
      const { id, by, changes, until } = news.trial;
      const facts = { id, by, keys: keysOf(changes) };
      if (news.what === 'trial') tell('config.trial', { ...facts, until: new Date(until).toISOString() }, 'warn');
      else tell('config.rolled-back', { ...facts, why: news.why, failure: news.failure?.message ?? null }, 'warn');
    }
  };

const trialView = ({ id, by, until, changes }: Trial): NonNullable<ConfigSaved['trial']> => ({
  ...{ id, by },
  until: new Date(until).toISOString(),
  changes: [...changes],
});

const savedView = ({ changes, trial }: { changes: Trial['changes']; trial: Trial | undefined }): ConfigSaved => ({
  changes: [...changes],
  trial: trial === undefined ? null : trialView(trial),
});

export const configPart = (config: ConfigStore): ConfigPart => ({
  view: async () => {
    const tag = await config.readTag();
    const { trial } = config;
    const overridden = [...config.overridden].map(([key, setting]) => ({ key, by: variableOf(setting) }));
    return {
      tag,
      view: {
        file: config.file,
        text: withoutSecrets(config.text),
        values: valuesWithoutSecrets(config.current),
        overridden,
        waiting: [...config.waiting],
        problems: [...config.problems],
        locked: (await configLock(config.file)) ?? null,
        trial: trial === undefined ? null : trialView(trial),
      },
    };
  },
  change: async (change) => savedView(await config.change(change)),
  validate: async (text) => {
    if (text !== undefined) return config.check(text).problems;
    await config.refresh();
    return config.problems;
  },
  history: async () => (await config.history.list()).map(({ text: _, ...version }) => version),
  diff: async (from, to) => {
    const before = (await config.history.get(from)).text;
    const after = to === undefined ? config.text : (await config.history.get(to)).text;
    return unifiedDiff(...bothWithoutSecrets(before, after));
  },
  rollback: async (id, by) => savedView(await config.rollback(id, by)),
  confirm: async (id) => savedView(await config.confirm(id)),
  cancel: (id, by) => config.cancel(id, by),
});
