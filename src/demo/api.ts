/** The service's REST API, as any other client would use it: HTTPS, its certificate checked, the admin's password. */
import { readFile } from 'node:fs/promises';
import https from 'node:https';
import { buffer } from 'node:stream/consumers';
import { errorFromWire, ReelError, type WireError } from '../errors.ts';
import type { Started } from '../supervisor/supervisor.ts';

export class DemoApi {
  readonly #url: string;
  readonly #authorization: string;
  readonly #certificate: string;

  private constructor(url: string, authorization: string, certificate: string) {
    this.#url = url;
    this.#authorization = authorization;
    this.#certificate = certificate;
  }

  static async connect(started: Started): Promise<DemoApi> {
    const credentials = Buffer.from(`${started.user}:${started.password ?? ''}`).toString('base64');
    return new DemoApi(started.url, `Basic ${credentials}`, await readFile(started.certificateFile, 'utf8'));
  }

  /** Throws the service's error; `not-running` when it does not answer. */
  async call<T>(method: 'GET' | 'PUT' | 'POST', path: string, body?: object): Promise<T> {
    return JSON.parse(await this.#text(method, `/api/v1${path}`, body)) as T;
  }

  /** A playlist or another text that is open to everybody. */
  text(path: string): Promise<string> {
    return this.#text('GET', path);
  }

  async #text(method: string, path: string, body?: object): Promise<string> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      authorization: this.#authorization,
      ...(payload === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
    };
    const request = https.request(`${this.#url}${path}`, { method, headers, ca: this.#certificate, agent: false });
    const answer = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.once('error', (cause: NodeJS.ErrnoException) => {
        reject(
          new ReelError('not-running', {
            expected: `an answer of ${this.#url}`,
            got: cause.code ?? cause.message,
            cause,
          }),
        );
      });
      request.end(payload);
    });
    const text = (await buffer(answer)).toString('utf8');
    if ((answer.statusCode ?? 500) < 400) return text;
    throw errorFromWire((JSON.parse(text) as { error: WireError }).error);
  }
}
