/**
 * The section `authentication`: a list of roles, tried from top to bottom. The same list may stand under a listener, under `streams.<name>` and
 * under `default_stream`. What each word means is in docs/access-rules.md.
 */
import Type, { type Static } from 'typebox';
import { anyOptions, backendOptions } from './backend-options.ts';
import type { Problem } from './problem.ts';
import { faultsOf } from './problem.ts';

/** Words with commas between them, or a YAML list of them. */
const listOf = (word: string, description: string) =>
  Type.Union(
    [
      Type.String({ pattern: `^\\s*${word}(\\s*,\\s*${word})*\\s*$`, maxLength: 4096 }),
      Type.Array(Type.String({ pattern: `^${word}$`, maxLength: 300 }), { maxItems: 256 }),
    ],
    { description },
  );

const yesOrNo = (description: string) =>
  Type.Union([Type.Literal('*'), Type.Boolean()], { description: `${description}; "*" is the same as true` });

const methods = (what: string) => listOf('(?:\\*|[A-Za-z]{1,32})', `${what}: HTTP methods, "*" for all`);
const commands = (what: string) =>
  listOf(
    '(?:\\*|[a-z0-9/_-]+(?:/\\*)?)',
    `${what}: commands of the API such as volumes/open or volumes/*, "*" for all`,
  );
const origins = (what: string) => listOf('[^\\s,]+', `${what}: values of the header Origin, "*" for all and for none`);

const limit = (description: string) =>
  Type.Union([Type.Integer({ minimum: 1, maximum: 1_000_000_000 }), Type.Enum(['*', 'unlimited'])], { description });

export const roleTypes = [
  'anonymous',
  'static',
  'htpasswd',
  'url',
  'jwt',
  'enforce-auth',
  'account',
  'ticket',
] as const;
export type RoleType = (typeof roleTypes)[number];

const headerSchema = Type.Object(
  {
    name: Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", maxLength: 100 }),
    value: Type.String({ pattern: '^[\\t\\x20-\\x7e]*$', maxLength: 4096 }),
    status: Type.Optional(
      Type.Integer({ minimum: 200, maximum: 599, description: 'only in answers of this status; any without it' }),
    ),
  },
  { additionalProperties: false },
);

export const roleSchema = Type.Object(
  {
    type: Type.Enum([...roleTypes], { description: 'who decides whether the role matches' }),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'for logs and explanations' })),
    match_method: Type.Optional(methods('matches these only')),
    nomatch_method: Type.Optional(methods('does not match these')),
    match_admin: Type.Optional(commands('of requests to the API, matches these only')),
    nomatch_admin: Type.Optional(commands('does not match these')),
    match_web: Type.Optional(yesOrNo('matches what is not the API')),
    nomatch_web: Type.Optional(yesOrNo('does not match what is not the API')),
    match_origin: Type.Optional(origins('matches these only')),
    nomatch_origin: Type.Optional(origins('does not match these')),
    allow_method: Type.Optional(methods('allowed beside GET and OPTIONS')),
    deny_method: Type.Optional(methods('denied')),
    allow_admin: Type.Optional(commands('allowed')),
    deny_admin: Type.Optional(commands('denied')),
    allow_web: Type.Optional(yesOrNo('what is not the API is allowed, as it is by default')),
    deny_web: Type.Optional(yesOrNo('what is not the API is denied')),
    allow_all: Type.Optional(yesOrNo('methods, commands and web are allowed where nothing narrower is said')),
    deny_all: Type.Optional(yesOrNo('methods, commands and web are denied where nothing narrower is said')),
    connections_per_user: Type.Optional(limit('players a user may have at once on a stream')),
    connection_duration: Type.Optional(limit('seconds a player may play a stream before it is disconnected')),
    http_headers: Type.Optional(Type.Array(headerSchema, { maxItems: 64, description: 'put into answers' })),
    options: Type.Optional(anyOptions),
  },
  { additionalProperties: false },
);
export type Role = Static<typeof roleSchema>;

// A change could cut off whoever makes it.
const risky = { risky: true } as const;

export const authenticationSchema = Type.Array(roleSchema, {
  maxItems: 1000,
  description: 'roles, tried from top to bottom',
  ...risky,
});
export type Authentication = Static<typeof authenticationSchema>;

/** A stream may be written as Icecast writes a mount: `/example1.ogg` is the stream `example1`. */
export const mountPattern = '^/?[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\\.[A-Za-z0-9]{1,8})?$';

export const streamOfMount = (mount: string): string => mount.replace(/^\//, '').replace(/\.[^.]*$/, '');

const withRoles = Type.Object(
  { authentication: Type.Optional(authenticationSchema) },
  { additionalProperties: false, ...risky },
);

/** Everything that says who may do what, by where it stands. */
export const accessRulesSchema = Type.Object(
  {
    /** Listeners by name: each may have its own roles, tried first. */
    listeners: Type.Optional(Type.Record(Type.String(), withRoles, risky)),
    streams: Type.Optional(
      Type.Record(Type.String({ pattern: mountPattern }), withRoles, { additionalProperties: false, ...risky }),
    ),
    default_stream: Type.Optional(withRoles),
    authentication: Type.Optional(authenticationSchema),
  },
  { additionalProperties: false },
);
export type AccessRules = Static<typeof accessRulesSchema>;

/** What a response header of a role may not be: it would break the message, or say who may come. */
const ownHeaders: ReadonlySet<string> = new Set([
  ...['connection', 'content-length', 'content-range', 'content-type', 'date', 'keep-alive', 'location', 'set-cookie'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'www-authenticate', 'x-request-id'],
]);

const isYes = (word: boolean | '*' | undefined): boolean | undefined => (word === '*' ? true : word);

const contradictions = (role: Role): string[] => {
  const pairs: [keyof Role, keyof Role][] = [
    ['match_web', 'nomatch_web'],
    ['allow_web', 'deny_web'],
    ['allow_all', 'deny_all'],
  ];
  return pairs
    .filter(([yes, no]) => role[yes] !== undefined && isYes(role[yes] as '*') === isYes(role[no] as '*'))
    .map(([yes, no]) => `${yes} and ${no} that contradict each other`);
};

/** What the schema cannot say. `at` is where the list stands. */
export const checkAuthentication = (roles: Authentication, at = '/authentication'): Problem[] =>
  roles.flatMap((role, index) => {
    const path = `${at}/${index}`;
    const options = faultsOf(backendOptions[role.type], role.options ?? {}, `${path}/options`);
    const headers = (role.http_headers ?? []).flatMap(({ name }, place) =>
      ownHeaders.has(name.toLowerCase())
        ? [
            {
              path: `${path}/http_headers/${place}/name`,
              expected: 'a header that the service does not set itself',
              got: name,
            },
          ]
        : [],
    );
    const { jwks_url: url, jwks_file: file } = role.options ?? {};
    const sources =
      role.type === 'jwt' && (url === undefined) === (file === undefined)
        ? [{ path: `${path}/options`, expected: 'jwks_url or jwks_file', got: url === undefined ? 'neither' : 'both' }]
        : [];
    const against = contradictions(role).map((got) => ({ path, expected: 'one answer to each question', got }));
    return [...options, ...sources, ...headers, ...against];
  });

/** Of all lists, with where each stands. */
export const checkAccessRules = (rules: AccessRules): Problem[] => {
  const places = new Map<string, string>();
  const twice = Object.keys(rules.streams ?? {}).flatMap((mount) => {
    const former = places.get(streamOfMount(mount));
    places.set(streamOfMount(mount), mount);
    return former === undefined
      ? []
      : [{ path: `/streams/${mount.replaceAll('/', '~1')}`, expected: 'each stream once', got: `it and ${former}` }];
  });
  const named = (from: AccessRules['streams'], at: string): Problem[] =>
    Object.entries(from ?? {}).flatMap(([name, { authentication = [] }]) =>
      checkAuthentication(authentication, `${at}/${name.replaceAll('/', '~1')}/authentication`),
    );
  return [
    ...named(rules.listeners, '/listeners'),
    ...twice,
    ...named(rules.streams, '/streams'),
    ...checkAuthentication(rules.default_stream?.authentication ?? [], '/default_stream/authentication'),
    ...checkAuthentication(rules.authentication ?? []),
  ];
};
