/** Where events are posted to, from the text of the settings. Whatever in it may be secret stays out of names and errors. */
import { ReelError } from '../errors.ts';

export interface WebhookAddress {
  /** Without user and password. */
  readonly url: URL;
  /** The value of the header, where the text names a user. */
  readonly authorization: string | null;
  /** Scheme, host and port: fit for logs. Paths and queries of hooks often are the key to them. */
  readonly origin: string;
}

/** `name` is the setting. Throws `config-invalid` without quoting the text. */
export const webhookAddress = (text: string, name: string): WebhookAddress => {
  const refuse = (expected: string, got: string): never => {
    throw new ReelError('config-invalid', { expected: `${expected} for ${name}`, got, details: { key: name } });
  };
  if (!URL.canParse(text)) return refuse('URLs with a space between them', 'something else');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') refuse('https:// or http:// URLs', url.protocol);
  const { username, password, origin } = url;
  url.username = '';
  url.password = '';
  url.hash = '';
  if (username === '' && password === '') return { url, authorization: null, origin };
  if (name.startsWith('--')) refuse('URLs without a password, which everybody sees on a command line,', 'one with it');
  try {
    const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return { url, authorization: `Basic ${Buffer.from(login).toString('base64')}`, origin };
  } catch {
    return refuse('a user and a password in percent-encoding', 'something else');
  }
};
