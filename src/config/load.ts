/** Settings from the defaults, then the environment, then command line flags; the later one wins. */
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import Value from 'typebox/value';
import { ReelError } from '../errors.ts';
import { type ListenAddress, listenAddress } from './listen-address.ts';
import { isTunable } from './sections.ts';
import { defaultSettings, type SettingKey, type Settings, settingsSchema } from './settings.ts';
import { settingText, variables } from './variables.ts';
import { webhookAddress } from './webhook-address.ts';

/** Text as it stands in the environment or on the command line. */
export type RawSettings = Partial<Record<string, string>>;

/** Facts that one part of the service hands to another, not settings. */
const notSettings: ReadonlySet<string> = new Set(['REELVAULT_CONFINEMENT', 'REELVAULT_AGAIN']);

const numeric = new Set<string>([
  'commitIntervalMs',
  'segmentMs',
  'stagingMiB',
  'preRecordMiB',
  'ingestIdleMs',
  'hangMs',
  'datapathOwner',
  'hostReserveMiB',
  'volumeReserveMiB',
] satisfies SettingKey[]);
const paths = new Set<string>(['state', 'runtime'] satisfies SettingKey[]);
/** Nothing is a value of these. */
const optionalPaths = new Set<string>([
  'headerCopies',
  'webhookSecretFile',
  'webhookCaFile',
  'config',
] satisfies SettingKey[]);

const refuse = (name: string, expected: string, got: string): never => {
  throw new ReelError('config-invalid', { expected: `${expected} for ${name}`, got, details: { key: name } });
};

/** `host:port`, `[::1]:port` or a port alone. */
export const parseListen = (text: string, name = 'listen'): ListenAddress =>
  listenAddress(text) ?? refuse(name, 'host:port', text);

const words = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '');

/** As they stand there: whoever posts takes them apart again. A comma may be part of one. */
const webhookUrls = (text: string, name: string): string[] => {
  const urls = text.split(/\s+/).filter((word) => word !== '');
  for (const url of urls) webhookAddress(url, name);
  return urls;
};

const episodesUrl = (text: string, name: string): string => {
  if (text !== '' && !URL.canParse(text)) refuse(name, 'a URL', 'something else');
  if (text !== '') webhookAddress(text, name);
  return text;
};

const parseValue = (key: SettingKey | 'listen', text: string, name: string): Partial<Settings> => {
  if (key === 'listen') return parseListen(text, name);
  if (key === 'datapath') return { datapath: text.split(':').map((entry) => absolute(entry, name)) };
  if (key === 'webhookUrls') return { webhookUrls: webhookUrls(text, name) };
  if (key === 'episodesUrl') return { episodesUrl: episodesUrl(text, name) };
  if (key === 'devices')
    return {
      devices: text
        .split(/\s+/)
        .filter((word) => word !== '')
        .map((word) => devicePath(word, name)),
    };
  if (key === 'webhookTypes') return { webhookTypes: words(text) };
  if (optionalPaths.has(key) && text === '') return { [key]: text };
  if (paths.has(key) || optionalPaths.has(key)) return { [key]: absolute(text, name) };
  if (!numeric.has(key)) return { [key]: text };
  return /^\d{1,15}$/.test(text) ? { [key]: Number(text) } : refuse(name, 'a whole number', JSON.stringify(text));
};

/** Normalised, so that every part sees the same spelling of a directory. */
const absolute = (text: string, name: string): string => {
  if (!text.startsWith('/')) return refuse(name, 'an absolute path', JSON.stringify(text));
  const normal = path.normalize(text);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
};

/** As it will be asked for: a name with dots in it would never be. `/dev` itself would be every disk of the machine, and its memory. */
const devicePath = (text: string, name: string): string => {
  const normal = path.normalize(text) === text && text.startsWith('/dev/') && text !== '/dev/';
  return normal ? text : refuse(name, 'paths below /dev with a space between them', JSON.stringify(text));
};

/** Throws `config-invalid` naming the key whose value is not acceptable. */
export const checkSettings = (settings: Settings, nameOf: (key: string) => string = (key) => key): Settings => {
  const wrong = Value.Errors(settingsSchema, settings).find((error) => error.keyword !== 'boolean');
  if (wrong !== undefined) {
    const key = wrong.instancePath.split('/')[1] ?? '';
    const unknown = (wrong.params as { additionalProperties?: string[] }).additionalProperties?.[0];
    if (unknown !== undefined) return refuse(unknown, 'a known key', 'one that is none');
    const value = JSON.stringify((settings as Record<string, unknown>)[key]);
    // URLs may hold secrets.
    const secret = key === 'webhookUrls' || key === 'episodesUrl';
    refuse(nameOf(key), `a value that ${wrong.message}`, secret ? 'others' : value);
  }
  for (const key of ['state', 'runtime'] as const) {
    const inside = settings.datapath.find((root) => `${settings[key]}/`.startsWith(root === '/' ? '/' : `${root}/`));
    if (inside !== undefined) refuse(nameOf(key), `a directory outside the datapath ${inside}`, settings[key]);
  }
  checkWebhook(settings, nameOf);
  return settings;
};

/** Nothing is posted without a signature; receivers may be named in the configuration file alone, so the secret may be all that stands here. */
const checkWebhook = (settings: Settings, nameOf: (key: string) => string): void => {
  const { webhookUrls: urls, webhookSecretFile, webhookTypes, webhookCaFile } = settings;
  if (webhookSecretFile !== '') return;
  if (urls.length > 0) refuse('REELVAULT_WEBHOOK_SECRET_FILE', 'a file', 'none');
  const given = { webhookCaFile, webhookTypes: webhookTypes.join() };
  const vain = Object.entries(given).find(([, value]) => value !== '');
  if (vain !== undefined) refuse(nameOf(vain[0]), 'nothing without REELVAULT_WEBHOOK_SECRET_FILE', 'a value');
};

/** Settings, and which of them the environment or a flag has given: those go before the configuration file. */
export interface LoadedSettings {
  readonly settings: Settings;
  readonly given: ReadonlySet<string>;
}

/**
 * `flags` uses the names of `Settings` (and `listen`). An environment variable that starts with `REELVAULT_` and is not a setting is an
 * error: a misspelt setting must not be silently the default.
 */
export const readSettings = (env: RawSettings, flags: RawSettings = {}): LoadedSettings => {
  const names = new Map<string, string>();
  let settings = defaultSettings;
  const apply = (key: SettingKey | 'listen', text: string, name: string): void => {
    const parsed = parseValue(key, text, name);
    for (const set of Object.keys(parsed)) names.set(set, name);
    settings = { ...settings, ...parsed };
  };
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('REELVAULT_') || notSettings.has(name) || text === undefined) continue;
    const key = variables[name];
    if (key === undefined) return refuse(name, `one of ${Object.keys(variables).join(', ')}`, 'an unknown variable');
    apply(key, text, name);
  }
  for (const [key, text] of Object.entries(flags)) {
    if (text === undefined) continue;
    apply(key as SettingKey, text, `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  }
  return { settings: checkSettings(settings, (key) => names.get(key) ?? key), given: new Set(names.keys()) };
};

export const loadSettings = (env: RawSettings, flags: RawSettings = {}): Settings => readSettings(env, flags).settings;

const isDefault = (settings: Settings, key: SettingKey): boolean =>
  isDeepStrictEqual(settings[key], defaultSettings[key]);

/**
 * The environment that makes `loadSettings` give exactly these settings again: how a parent hands them to a child. What nobody has given is
 * left out where the configuration file may say it.
 */
export const settingsToEnvironment = (settings: Settings, given?: ReadonlySet<string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(variables)
      .filter(([, key]) => {
        const own: readonly SettingKey[] = key === 'listen' ? ['listenHost', 'listenPort'] : [key];
        return own.some((each) => !isTunable(each) || (given?.has(each) ?? !isDefault(settings, each)));
      })
      .map(([name, key]) => [name, settingText(settings, key)]),
  );

/** Where nobody names another one. */
export const configFileOf = ({ config, state }: Settings): string =>
  config === '' ? path.join(state, 'reelvault.yaml') : config;
