/** The environment variables of the settings: what `serve --help` and the README list, each with its default. */
import { listenText } from './listen-address.ts';
import { defaultSettings, type SettingKey, type Settings, settingsSchema } from './settings.ts';

/** `REELVAULT_LISTEN=host:port` sets two keys; every other variable one. */
export const variables: Readonly<Record<string, SettingKey | 'listen'>> = {
  REELVAULT_DATAPATH: 'datapath',
  REELVAULT_STATE: 'state',
  REELVAULT_CONFIG: 'config',
  REELVAULT_RUNTIME: 'runtime',
  REELVAULT_HEADER_COPIES: 'headerCopies',
  REELVAULT_DEVICES: 'devices',
  REELVAULT_DATAPATH_OWNER: 'datapathOwner',
  REELVAULT_LISTEN: 'listen',
  REELVAULT_USER: 'serviceUser',
  REELVAULT_VOLUME: 'defaultVolume',
  REELVAULT_COMMIT_INTERVAL_MS: 'commitIntervalMs',
  REELVAULT_SEGMENT_MS: 'segmentMs',
  REELVAULT_STAGING_MIB: 'stagingMiB',
  REELVAULT_PRE_RECORD_MIB: 'preRecordMiB',
  REELVAULT_WRITER: 'writerBackend',
  REELVAULT_INGEST_IDLE_MS: 'ingestIdleMs',
  REELVAULT_HANG_MS: 'hangMs',
  REELVAULT_HOST_RESERVE_MIB: 'hostReserveMiB',
  REELVAULT_VOLUME_RESERVE_MIB: 'volumeReserveMiB',
  REELVAULT_WEBHOOK_URLS: 'webhookUrls',
  REELVAULT_WEBHOOK_SECRET_FILE: 'webhookSecretFile',
  REELVAULT_WEBHOOK_TYPES: 'webhookTypes',
  REELVAULT_WEBHOOK_CA_FILE: 'webhookCaFile',
  REELVAULT_EPISODES_URL: 'episodesUrl',
  REELVAULT_LOG: 'logLevel',
};

/** Name of the variable that sets it. */
export const variableOf = (setting: string): string =>
  Object.entries(variables).find(([, key]) => key === setting)?.[0] ?? setting;

/** A setting as its variable spells it. */
export const settingText = (settings: Settings, key: SettingKey | 'listen'): string => {
  if (key === 'listen') return listenText(settings);
  const setting = settings[key];
  return Array.isArray(setting) ? setting.join(key === 'datapath' ? ':' : ' ') : String(setting);
};

export interface Variable {
  readonly name: string;
  /** Empty: none. */
  readonly default: string;
  readonly description: string;
}

const describe = (key: SettingKey | 'listen'): string =>
  key === 'listen'
    ? 'address and port of the HTTPS listener; port 0 picks a free one'
    : ((settingsSchema.properties[key] as { readonly description?: string }).description ?? '');

/** All of them, in the order of their table. */
export const variableList = (): Variable[] =>
  Object.entries(variables).map(([name, key]) => ({
    name,
    default: settingText(defaultSettings, key),
    description: describe(key),
  }));
