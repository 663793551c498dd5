/** Posts to the server of a URL backend: with a time limit, without following redirects, and never more of its answer than the headers. */
import type { UrlOptions } from '../../config/sections/backend-options.ts';
import type { ClientFacts } from './url-message.ts';

/** The headers of an answer of 2xx; `problem` says in words why there is none. */
export type Posted = { readonly headers: Headers } | { readonly problem: string };

const basic = (user: string | Buffer, password: string | Buffer): string => {
  const text = Buffer.concat([Buffer.from(user), Buffer.from(':'), Buffer.from(password)]);
  const header = `Basic ${text.toString('base64')}`;
  text.fill(0);
  return header;
};

/** As Icecast does it: those of the URL, else those of the options, else those of the client. */
const authorization = (url: URL, { username, password }: UrlOptions, facts: ClientFacts): string | undefined => {
  if (url.username !== '' || url.password !== '')
    return basic(decodeURIComponent(url.username), decodeURIComponent(url.password));
  if (username !== undefined && password !== undefined) return basic(username, password);
  return facts.user === '' && facts.password.length === 0 ? undefined : basic(facts.user, facts.password);
};

const problemOf = (error: unknown, timeoutMs: number): string => {
  if ((error as Error).name === 'TimeoutError') return `no answer within ${timeoutMs} ms`;
  const { code, message } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  // Ports of other protocols, such as 25: what is posted there could be taken for a command.
  if (message === 'bad port') return 'no question: nothing is posted to a port of another protocol';
  return `no answer: ${code ?? 'the connection failed'}`;
};

export const postTo = async (
  address: string,
  body: Buffer,
  options: UrlOptions,
  facts: ClientFacts,
  abort: AbortSignal,
): Promise<Posted> => {
  const url = new URL(address);
  const sender = authorization(url, options, facts);
  url.username = '';
  url.password = '';
  const timeoutMs = options.timeout_ms ?? 5000;
  try {
    const answer = await fetch(url, {
      method: 'POST',
      body: new Uint8Array(body.buffer, body.byteOffset, body.length),
      redirect: 'manual',
      signal: AbortSignal.any([abort, AbortSignal.timeout(timeoutMs)]),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'user-agent': 'reelvault',
        ...(sender === undefined ? {} : { authorization: sender }),
      },
    });
    await answer.body?.cancel();
    return answer.ok ? { headers: answer.headers } : { problem: `status ${answer.status}` };
  } catch (error) {
    return { problem: problemOf(error, timeoutMs) };
  } finally {
    body.fill(0);
  }
};
