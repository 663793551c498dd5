/** What `Authorization` carries. */

export interface PasswordCredentials {
  readonly user: string;
  /** The caller zeroes it. */
  readonly password: Buffer;
}

/** HTTP Basic (RFC 7617). What does not parse becomes empty credentials: they fail like any wrong ones. */
export const basicCredentials = (header: string): PasswordCredentials => {
  const encoded = /^Basic +([A-Za-z0-9+/=_-]{0,1024})$/i.exec(header)?.[1] ?? '';
  const bytes = Buffer.from(encoded, 'base64');
  const colon = bytes.indexOf(0x3a);
  const end = Math.max(colon, 0);
  const user = bytes.subarray(0, end).toString('utf8');
  const password = Buffer.from(colon < 0 ? '' : bytes.subarray(colon + 1));
  bytes.fill(0);
  return { user, password };
};

export const bearerToken = (header: string): string | undefined =>
  /^Bearer +([A-Za-z0-9._~+/=-]{1,8192})$/i.exec(header)?.[1];
