/** The rules that routes carry, and who a caller may turn out to be. */

/** `admin`: the admin only. `optional`: anybody, and the admin sees more. `open`: anybody. `publish`: the admin, or a ticket for `:stream`. */
export type Access = 'admin' | 'optional' | 'open' | 'publish';

/**
 * `local` came through the admin socket, whose permissions are the proof. `user` was let in by an access rule, as `admin` where it asked for
 * something of the API.
 */
export type Caller =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'local' }
  | { readonly kind: 'admin'; readonly user: string }
  | { readonly kind: 'publisher'; readonly stream: string }
  | { readonly kind: 'user'; readonly user: string | null; readonly rule: string; readonly admin: boolean };

const firstSegment = (url: string): string => {
  const [, segment = ''] = url.split(/[/?#]/, 2);
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
};

/** `route` and its own `access` are undefined where no route answers. */
export const accessOf = (url: string, route: string | undefined, own: Access | undefined): Access => {
  const access = route === undefined ? 'open' : (own ?? 'admin');
  // What no route of the API answers must not tell a stranger which routes there are.
  return access === 'open' && firstSegment(url) === 'api' ? 'admin' : access;
};
