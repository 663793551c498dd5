/** The options of each type of role, by the names that Icecast gives them where it has them. */
import Type, { type Static } from 'typebox';

/** What is not to be shown where the configuration is: also URLs, which may carry a password. */
const secret = { secret: true } as const;

const httpUrl = (description: string) =>
  Type.String({ pattern: '^https?://[^\\s]+$', maxLength: 2048, description, ...secret });
const headerName = (description: string) =>
  Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", maxLength: 100, description });

/** A name without a slash: such files lie in `<state>/auth/` and nowhere else. */
const fileName = (description: string) =>
  Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$',
    description: `${description}: the name of a file in the folder auth of the state directory`,
  });

const seconds = (maximum: number, description: string) => Type.Integer({ minimum: 0, maximum, description });

const onError = Type.Enum(['deny', 'next', 'allow'], {
  description: 'when it cannot be asked: deny (default), try the next role, or allow',
});

const none = Type.Object({}, { additionalProperties: false });

export const staticOptions = Type.Object(
  {
    username: Type.String({ minLength: 1, maxLength: 256 }),
    password: Type.String({
      minLength: 1,
      maxLength: 1024,
      description: 'as it is, or a hash of argon2, scrypt or bcrypt, which begins with $',
      ...secret,
    }),
  },
  { additionalProperties: false },
);

export const htpasswdOptions = Type.Object(
  {
    filename: fileName('lines user:hash'),
    legacy_md5: Type.Optional(
      Type.Boolean({
        description: 'take the MD5 lines that Icecast writes: whoever reads the file has the passwords soon',
      }),
    ),
  },
  { additionalProperties: false },
);

export const urlOptions = Type.Object(
  {
    client_add: Type.Optional(httpUrl('asked whether a client may come; everybody may without it')),
    client_remove: Type.Optional(httpUrl('told when a client has gone')),
    action_add: Type.Optional(Type.String({ maxLength: 100, description: 'sent as action; listener_add without it' })),
    action_remove: Type.Optional(
      Type.String({ maxLength: 100, description: 'sent as action; listener_remove without it' }),
    ),
    username: Type.Optional(Type.String({ maxLength: 256, description: 'for the server that is asked' })),
    password: Type.Optional(Type.String({ maxLength: 1024, ...secret })),
    headers: Type.Optional(Type.String({ maxLength: 4096, description: 'headers of the client to send, with commas' })),
    header_prefix: Type.Optional(Type.String({ maxLength: 100, description: 'put before the names of those headers' })),
    auth_header: Type.Optional(
      Type.String({ maxLength: 300, description: 'beginning of the header line that lets a client in (old style)' }),
    ),
    timelimit_header: Type.Optional(
      Type.String({
        maxLength: 300,
        description: 'beginning of the header line that says for how many seconds (old style)',
      }),
    ),
    header_auth: Type.Optional(headerName('header that says ok, failed or no match')),
    header_timelimit: Type.Optional(headerName('header that says for how many seconds')),
    header_message: Type.Optional(headerName('header that says why not, for the log')),
    timeout_ms: Type.Optional(Type.Integer({ minimum: 50, maximum: 60_000, description: '5000 without it' })),
    cache_seconds: Type.Optional(seconds(86_400, 'how long an answer holds for the same client; 60 without it')),
    on_error: Type.Optional(onError),
  },
  { additionalProperties: false },
);

/** Signatures by keys that only one side has: what reads the keys cannot make tokens. */
export const jwtAlgorithms = [
  ...['EdDSA', 'Ed25519', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'],
];

export const jwtOptions = Type.Object(
  {
    jwks_url: Type.Optional(httpUrl('a JSON Web Key Set')),
    jwks_file: Type.Optional(fileName('a JSON Web Key Set')),
    algorithms: Type.Optional(
      Type.Array(Type.Enum(jwtAlgorithms), { minItems: 1, description: 'EdDSA, ES256 and RS256 without it' }),
    ),
    issuer: Type.String({ minLength: 1, maxLength: 1024, description: 'what iss has to be' }),
    audience: Type.String({ minLength: 1, maxLength: 1024, description: 'what aud has to be, or hold' }),
    user_claim: Type.Optional(Type.String({ maxLength: 100, description: 'whom the token names; sub without it' })),
    streams_claim: Type.Optional(
      Type.String({ maxLength: 100, description: 'names of the streams the token is good for; all without it' }),
    ),
    leeway_seconds: Type.Optional(seconds(300, 'by how much clocks may differ; 0 without it')),
    timeout_ms: Type.Optional(Type.Integer({ minimum: 50, maximum: 60_000, description: '5000 without it' })),
    on_error: Type.Optional(
      Type.Enum(['deny', 'next'], { description: 'when no keys can be had: deny (default), or try the next role' }),
    ),
  },
  { additionalProperties: false },
);

export type StaticOptions = Static<typeof staticOptions>;
export type HtpasswdOptions = Static<typeof htpasswdOptions>;
export type UrlOptions = Static<typeof urlOptions>;
export type JwtOptions = Static<typeof jwtOptions>;

export const backendOptions = {
  anonymous: none,
  static: staticOptions,
  htpasswd: htpasswdOptions,
  url: urlOptions,
  jwt: jwtOptions,
  'enforce-auth': none,
  account: none,
  ticket: none,
};

/** Of all types together: which of them a role may have depends on its type, and is checked beside the schema. */
export const anyOptions = Type.Partial(
  Type.Object({
    ...jwtOptions.properties,
    ...htpasswdOptions.properties,
    ...urlOptions.properties,
    ...staticOptions.properties,
  }),
  { description: 'of the type; each type has its own' },
);
