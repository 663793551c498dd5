/** The configuration file as a whole: its sections, and which environment variable goes before which key. */
import Type, { type Static } from 'typebox';
import { type ListenAddress, listenAddress, listenText } from './listen-address.ts';
import { type AccessRules, accessRulesSchema, checkAccessRules } from './sections/authentication.ts';
import type { Fault, Section } from './sections/section.ts';
import { tuning } from './sections/tuning.ts';
import { webhook } from './sections/webhook.ts';
import type { SettingKey, Settings } from './settings.ts';

export const sections = { tuning, webhook } as const;

export const configSchema = Type.Object(
  { tuning: tuning.schema, webhook: webhook.schema, ...accessRulesSchema.properties },
  { additionalProperties: false, default: {} },
);

/** Every key has a value: that of the environment, else that of the file, else the default. */
export type Config = Static<typeof configSchema>;

/** Who may do what. */
export const accessRulesOf = ({ listeners, streams, default_stream, authentication }: Config): AccessRules => ({
  ...(listeners === undefined ? {} : { listeners }),
  ...(streams === undefined ? {} : { streams }),
  ...(default_stream === undefined ? {} : { default_stream }),
  ...(authentication === undefined ? {} : { authentication }),
});

/** What the schema cannot say. */
export const sectionFaults = (config: Config, border: Settings): readonly Fault[] => [
  ...Object.entries(sections).flatMap(([name, section]) => {
    const faults = (section as Section<never>).check?.(config[name as SectionName] as never, border) ?? [];
    return faults.map((fault) => ({ ...fault, path: [name, ...fault.path] }));
  }),
  ...checkAccessRules(accessRulesOf(config)).map(({ path, ...said }) => ({ ...said, path: partsOf(path) })),
];

/** Of a JSON pointer (RFC 6901). */
const partsOf = (pointer: string): (string | number)[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')));

type SectionName = keyof typeof sections;

/** Settings that are no border settings: which key of the file is the same. */
export const tunables = {
  defaultVolume: ['tuning', 'default_volume'],
  segmentMs: ['tuning', 'segment_ms'],
  ingestIdleMs: ['tuning', 'ingest_idle_ms'],
  hangMs: ['tuning', 'hang_ms'],
  hostReserveMiB: ['tuning', 'host_reserve_mib'],
  volumeReserveMiB: ['tuning', 'volume_reserve_mib'],
  episodesUrl: ['tuning', 'episodes_url'],
  logLevel: ['tuning', 'log_level'],
  commitIntervalMs: ['tuning', 'commit_interval_ms'],
  stagingMiB: ['tuning', 'staging_mib'],
  preRecordMiB: ['tuning', 'pre_record_mib'],
  writerBackend: ['tuning', 'writer'],
  webhookUrls: ['webhook', 'urls'],
  webhookTypes: ['webhook', 'types'],
} as const satisfies Partial<Record<SettingKey, readonly [SectionName, string]>>;

/** Two settings are one key, as they are one variable. */
const listenKeys: ReadonlySet<string> = new Set(['listenHost', 'listenPort'] satisfies SettingKey[]);
const isGiven = (given: ReadonlySet<string>): boolean => [...listenKeys].some((key) => given.has(key));

export type Tunable = keyof typeof tunables;
const tunableList = Object.entries(tunables) as [Tunable, readonly [SectionName, string]][];

export const isTunable = (setting: string): boolean => Object.hasOwn(tunables, setting) || listenKeys.has(setting);

type Values = Record<string, Record<string, unknown>>;

/** `values` with those settings put in that the environment gives. */
export const withOverrides = (values: Config, settings: Settings, given: ReadonlySet<string>): Config => {
  const copy = structuredClone(values) as unknown as Values;
  for (const [setting, [section, key]] of tunableList) {
    if (given.has(setting)) (copy[section] as Values[string])[key] = settings[setting];
  }
  if (isGiven(given)) copy.tuning = { ...copy.tuning, listen: listenText(settings) };
  return copy as unknown as Config;
};

/** The border settings with the tunables of the configuration: what the parts are made with. */
export const settingsOf = (config: Config, border: Settings): Settings => {
  const values = config as unknown as Values;
  const tuned = tunableList.map(([setting, [section, key]]) => [setting, values[section]?.[key]]);
  return { ...border, ...Object.fromEntries(tuned), ...listenOf(config) };
};

/** Of a configuration that was checked. */
export const listenOf = ({ tuning: { listen } }: Config): ListenAddress => listenAddress(listen) as ListenAddress;

/** Dotted keys that the environment holds, each with the setting. */
export const overriddenKeys = (given: ReadonlySet<string>): ReadonlyMap<string, Tunable | 'listen'> =>
  new Map<string, Tunable | 'listen'>([
    ...(isGiven(given) ? [['tuning.listen', 'listen'] as const] : []),
    ...tunableList
      .filter(([setting]) => given.has(setting))
      .map(([setting, path]) => [path.join('.'), setting] as const),
  ]);
