/** One POST to a receiver. Redirects are not followed: a signature is for one place only. */
import http from 'node:http';
import https from 'node:https';
import type { SecureContext } from 'node:tls';
import type { WebhookAddress } from '../../config/webhook-address.ts';

export interface Post {
  readonly address: WebhookAddress;
  readonly agent: http.Agent;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** For the whole of it: name, connection, TLS, answer. */
  readonly timeoutMs: number;
  /** Cuts it off sooner. */
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** An answer's body is of no use, but a short one is read, so that the connection can be used again. */
const longestBody = 64 * 1024;

/** Certificates are verified whatever the environment says. */
export const agentFor = ({ url }: WebhookAddress, secureContext: SecureContext): http.Agent => {
  const options = { keepAlive: true, maxFreeSockets: 1 };
  return url.protocol === 'https:'
    ? new https.Agent({ ...options, secureContext, rejectUnauthorized: true } as https.AgentOptions)
    : new http.Agent(options);
};

/** Rejects with an error of the network, or with a `TimeoutError`. */
export const post = ({ address, agent, headers, body, timeoutMs, signal }: Post): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { url, authorization } = address;
    const request = (url.protocol === 'https:' ? https : http).request(url, {
      method: 'POST',
      agent,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      headers: {
        ...headers,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        ...(authorization === null ? {} : { authorization }),
      },
    });
    // It may fail once more after its answer has begun.
    request.on('error', reject);
    request.once('response', (response) => {
      let size = 0;
      response.on('data', (piece: Buffer) => {
        size += piece.length;
        if (size > longestBody) response.destroy();
      });
      // It has answered; how its body ends does not matter.
      response.on('error', () => undefined);
      resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] });
    });
    request.end(body);
  });

/** In words, without anything of the URL but its name or address. */
export const failureInWords = (thrown: unknown, timeoutMs: number): string => {
  const { name, code, message, cause } = thrown as NodeJS.ErrnoException;
  const inner = name === 'AbortError' && cause instanceof Error ? cause.name : name;
  if (inner === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`;
  return code ?? name ?? message;
};
