/** What a key of the file shares with the environment variable of the same setting. */
import { defaultSettings, type SettingKey, settingsSchema } from '../settings.ts';
import { webhookAddress } from '../webhook-address.ts';
import type { Fault, Marks } from './section.ts';

/** Its bounds, its words and its default. */
export const like = <K extends SettingKey>(key: K, marks: Marks = {}): (typeof settingsSchema.properties)[K] =>
  ({ ...settingsSchema.properties[key], default: defaultSettings[key], ...marks }) as never;

export const urlFaults = (text: string, path: Fault['path']): readonly Fault[] => {
  try {
    webhookAddress(text, '');
    return [];
  } catch {
    return [{ path, expected: 'an https:// or http:// URL', got: 'another value' }];
  }
};
