/** A request as the rules see it: without anything of the server that received it. */
import type { PasswordCredentials } from '../credentials.ts';

export interface RuleRequest {
  /** In capitals. */
  readonly method: string;
  /** The command of the API that is asked for, such as `volumes/open`; undefined for everything else, which is `web`. */
  readonly command: string | undefined;
  readonly stream: string | undefined;
  /** Name of the listener it came through. */
  readonly listener: string | undefined;
  /** Path and query. */
  readonly url: string;
  readonly address: string;
  /** Of the header of that name, in small letters. */
  readonly header: (name: string) => string | undefined;
  readonly credentials: PasswordCredentials | undefined;
  /** Of `Authorization: Bearer`. */
  readonly bearer: string | undefined;
  readonly ticket: string | undefined;
  /** The host and port that were asked. */
  readonly server: { readonly name: string; readonly port: number };
}

/** `mount`, as Icecast tells a URL backend: the stream with its slash, or the path, and the query. */
export const mountOf = ({ stream, url }: Pick<RuleRequest, 'stream' | 'url'>): string => {
  if (stream === undefined) return url;
  const query = url.indexOf('?');
  return `/${stream}${query < 0 ? '' : url.slice(query)}`;
};
