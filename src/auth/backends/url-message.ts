/** What is sent to a URL backend and what its answer means: Icecast 2.5's protocol, both the old headers and the new ones. */
import type { UrlOptions } from '../../config/sections/backend-options.ts';
import { mountOf, type RuleRequest } from '../rules/request.ts';
import type { Result } from './backend.ts';

/** What outlives the request, for the message that the client has gone. */
export interface ClientFacts {
  /** Number of the client in these messages. */
  readonly id: number;
  readonly server: RuleRequest['server'];
  readonly mount: string;
  readonly user: string;
  readonly password: Buffer;
  readonly ip: string;
  readonly agent: string;
  /** Those that the option `headers` names and the client sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export const factsOf = (
  request: RuleRequest,
  id: number,
  { headers = '', header_prefix = '' }: UrlOptions,
): ClientFacts => ({
  id,
  server: request.server,
  mount: mountOf(request),
  user: request.credentials?.user ?? '',
  password: Buffer.from(request.credentials?.password ?? ''),
  ip: request.address,
  agent: request.header('user-agent') ?? '-',
  headers: headers
    .split(',')
    .map((name) => name.trim())
    .flatMap((name) => {
      const value = name === '' ? undefined : request.header(name.toLowerCase());
      return value === undefined ? [] : [[`${header_prefix}${name}`, value] as const];
    }),
});

/** `application/x-www-form-urlencoded` as RFC 3986 escapes: a space is %20, as Icecast writes it. */
const escaped = (value: string): string =>
  encodeURIComponent(value.toWellFormed()).replace(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );

const unreserved: ReadonlySet<number> = new Set(
  Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~'),
);

/** Bytes, so that they can be zeroed; a password that is no UTF-8 goes out as it came. */
const escapeBytes = (bytes: Buffer): Buffer => {
  const out = Buffer.alloc(bytes.length * 3);
  let length = 0;
  for (const byte of bytes) {
    if (unreserved.has(byte)) out[length++] = byte;
    else length += out.write(`%${byte.toString(16).toUpperCase().padStart(2, '0')}`, length);
  }
  return out.subarray(0, length);
};

/** The body: the password in the middle of it as bytes. The caller zeroes it. */
const message = (facts: ClientFacts, action: string, before: object, after: object): Buffer => {
  const form = (pairs: object): string =>
    Object.entries(pairs)
      .map(([name, value]) => `${escaped(name)}=${escaped(String(value))}`)
      .join('&');
  const head = form({
    action,
    server: facts.server.name,
    port: facts.server.port,
    client: facts.id,
    mount: facts.mount,
    user: facts.user,
  });
  const password = escapeBytes(facts.password);
  const tail = form({ ...before, ip: facts.ip, agent: facts.agent, ...after });
  const body = Buffer.concat([Buffer.from(`${head}&pass=`), password, Buffer.from(`&${tail}`)]);
  password.fill(0);
  return body;
};

export const addMessage = (facts: ClientFacts, action: string): Buffer =>
  message(facts, action, {}, Object.fromEntries(facts.headers));

export const removeMessage = (facts: ClientFacts, action: string, seconds: number): Buffer =>
  message(facts, action, { duration: seconds }, {});

export interface UrlReply {
  readonly result: Result;
  readonly seconds?: number;
  readonly message?: string;
}

const results: Readonly<Record<string, Result>> = { ok: 'match', 'no match': 'nomatch' };

/** The old options are the beginning of a header line; `\r\n` at their end means the whole line. */
const lineBegins = (headers: Headers, beginning: string): string | undefined => {
  const wanted = beginning.toLowerCase();
  for (const [name, value] of headers) {
    const line = `${name}: ${value}\r\n`;
    if (line.toLowerCase().startsWith(wanted)) return line.slice(wanted.length).trim();
  }
  return undefined;
};

const wholeSeconds = (text: string | null | undefined): number | undefined => {
  const digits = /^\d{1,9}$/.exec(text?.trim() ?? '')?.[0];
  return digits === undefined ? undefined : Number(digits);
};

const longestMessage = 200;

/** Without options of one kind both kinds of headers are looked at. Of contradicting headers the new one counts. */
export const readReply = (headers: Headers, options: UrlOptions): UrlReply => {
  const both = options.auth_header === undefined && options.header_auth === undefined;
  const oldAuth = both ? 'icecast-auth-user: 1\r\n' : options.auth_header;
  const newAuth = both ? 'x-icecast-auth-result' : options.header_auth;
  const bothTimes = options.timelimit_header === undefined && options.header_timelimit === undefined;
  const oldTime = bothTimes ? 'icecast-auth-timelimit:' : options.timelimit_header;
  const newTime = bothTimes ? 'x-icecast-auth-timelimit' : options.header_timelimit;
  const said = newAuth === undefined ? null : headers.get(newAuth);
  const byLine = oldAuth !== undefined && lineBegins(headers, oldAuth) !== undefined ? 'match' : 'fail';
  const result = said === null ? byLine : (results[said.trim().toLowerCase()] ?? 'fail');
  const seconds =
    (newTime === undefined ? undefined : wholeSeconds(headers.get(newTime))) ??
    (oldTime === undefined ? undefined : wholeSeconds(lineBegins(headers, oldTime)));
  const words =
    options.header_message === undefined
      ? (headers.get('x-icecast-auth-message') ?? headers.get('icecast-auth-message'))
      : headers.get(options.header_message);
  return {
    result,
    ...(seconds === undefined ? {} : { seconds }),
    ...(words === null ? {} : { message: words.slice(0, longestMessage) }),
  };
};
