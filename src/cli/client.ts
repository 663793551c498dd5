/** Talks to the running service through its admin socket. */
import http from 'node:http';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { errorFromWire, ReelError, type WireError } from '../errors.ts';

export interface AdminClientParams {
  readonly runtime: string;
}

const unreachable = (socket: string, cause: NodeJS.ErrnoException): ReelError => {
  if (cause.code === 'EACCES') {
    const hint = 'only root and the service user may use it';
    return new ReelError('forbidden', { expected: `access to ${socket}`, got: 'EACCES', hint, cause });
  }
  return new ReelError('not-running', {
    expected: `the service on ${socket}`,
    got: cause.code ?? cause.message,
    hint: 'start it with `reelvault serve`, or name its directory with --runtime',
    cause,
  });
};

export class AdminClient {
  readonly #socket: string;

  constructor(params: AdminClientParams) {
    this.#socket = path.join(params.runtime, 'admin.sock');
  }

  get<T>(url: string): Promise<T> {
    return this.#call('GET', url);
  }

  /** `secret` stays the caller's, who zeroes it. */
  put<T>(url: string, secret?: Buffer): Promise<T> {
    return this.#call('PUT', url, secret);
  }

  post<T>(url: string, secret?: Buffer): Promise<T> {
    return this.#call('POST', url, secret);
  }

  putJson<T>(url: string, body: object): Promise<T> {
    return this.#call('PUT', url, Buffer.from(JSON.stringify(body)), 'application/json');
  }

  postJson<T>(url: string, body: object): Promise<T> {
    return this.#call('POST', url, Buffer.from(JSON.stringify(body)), 'application/json');
  }

  patchJson<T>(url: string, body: object, headers: http.OutgoingHttpHeaders = {}): Promise<T> {
    return this.#call('PATCH', url, Buffer.from(JSON.stringify(body)), 'application/json', headers);
  }

  /** The text of a configuration. */
  async sendYaml<T>(
    method: 'PUT' | 'POST',
    url: string,
    text: string,
    headers: http.OutgoingHttpHeaders = {},
  ): Promise<T> {
    return this.#call(method, url, Buffer.from(text), 'application/yaml', headers);
  }

  /** With the tag that a change of it names in `If-Match`. */
  async getTagged<T>(url: string): Promise<{ readonly value: T; readonly tag: string }> {
    const answer = await this.stream(url);
    return { value: parse((await buffer(answer)).toString('utf8')) as T, tag: String(answer.headers.etag) };
  }

  delete<T>(url: string): Promise<T> {
    return this.#call('DELETE', url);
  }

  /** The body as it comes, for answers that do not end by themselves. */
  async stream(url: string, headers: http.OutgoingHttpHeaders = {}): Promise<http.IncomingMessage> {
    const answer = await this.#send('GET', url, headers);
    if ((answer.statusCode ?? 500) < 400) return answer;
    return refuse(answer, parse((await buffer(answer)).toString('utf8')));
  }

  /** For answers that are not JSON. The caller zeroes what it gets. */
  postForBytes(url: string, secret?: Buffer): Promise<Buffer> {
    return this.#exchange('POST', url, secret);
  }

  async #call<T>(
    method: string,
    url: string,
    bytes?: Buffer,
    type?: string,
    headers?: http.OutgoingHttpHeaders,
  ): Promise<T> {
    return parse((await this.#exchange(method, url, bytes, type, headers)).toString('utf8')) as T;
  }

  /** The body of an answer that is no error. */
  async #exchange(
    method: string,
    url: string,
    bytes?: Buffer,
    type = 'application/octet-stream',
    more: http.OutgoingHttpHeaders = {},
  ): Promise<Buffer> {
    const headers = bytes === undefined ? more : { ...more, 'content-type': type, 'content-length': bytes.length };
    const answer = await this.#send(method, url, headers, bytes);
    const body = await buffer(answer);
    return (answer.statusCode ?? 500) < 400 ? body : refuse(answer, parse(body.toString('utf8')));
  }

  #send(
    method: string,
    url: string,
    headers: http.OutgoingHttpHeaders,
    secret?: Buffer,
  ): Promise<http.IncomingMessage> {
    const request = http.request({ socketPath: this.#socket, method, path: `/api/v1${url}`, headers, agent: false });
    return new Promise((resolve, reject) => {
      request.once('response', resolve);
      request.once('error', (error) => reject(unreachable(this.#socket, error)));
      request.end(secret);
    });
  }
}

/** Throws what the service threw. */
const refuse = (answer: http.IncomingMessage, body: unknown): never => {
  const { error } = (body ?? {}) as { error?: WireError };
  if (error !== undefined) throw errorFromWire(error);
  throw new ReelError('internal', { expected: 'an answer of the service', got: `status ${answer.statusCode ?? 0}` });
};

const parse = (text: string): unknown => {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch (cause) {
    throw new ReelError('internal', {
      expected: 'JSON from the service',
      got: `${text.length} bytes of something else`,
      cause,
    });
  }
};
