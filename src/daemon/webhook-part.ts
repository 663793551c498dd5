/** The webhook of the daemon, where the settings name a receiver. */
import { readFileSync } from 'node:fs';
import type { Settings } from '../config/settings.ts';
import { ReelError } from '../errors.ts';
import type { WebhookFiles } from '../events/webhook/files.ts';
import { Webhook, type WebhookParams } from '../events/webhook/webhook.ts';
import type { WebhookPart } from '../http/webhook.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Takes the files over: the secret is zeroed. */
export const makeWebhook = (
  settings: Settings,
  files: WebhookFiles | undefined,
  params: Pick<WebhookParams, 'bus' | 'now' | 'log'>,
): Webhook | undefined => {
  if (files === undefined) return undefined;
  const { webhookUrls: urls, webhookTypes: types } = settings;
  try {
    return new Webhook({ ...params, ...files, urls, types, userAgent: `reelvault/${version}` });
  } finally {
    files.secrets.fill(0);
  }
};

export const webhookPart = (webhook: Webhook | undefined): WebhookPart => ({
  test: () => {
    if (webhook !== undefined && webhook.status().length > 0) return webhook.test();
    throw new ReelError('not-found', {
      expected: 'a receiver of events',
      got: 'none in the configuration',
      hint: 'give the service REELVAULT_WEBHOOK_SECRET_FILE, and the receiver by REELVAULT_WEBHOOK_URLS or `reelvault config set --stdin webhook.urls`',
    });
  },
});
