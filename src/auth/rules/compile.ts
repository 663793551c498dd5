/** Makes rules out of the configuration: filters, permissions and backends, ready to be asked. */
import path from 'node:path';
import {
  type AccessRules,
  type Authentication,
  accessRulesSchema,
  checkAccessRules,
  type Role,
  streamOfMount,
} from '../../config/sections/authentication.ts';
import type { HtpasswdOptions, JwtOptions, StaticOptions, UrlOptions } from '../../config/sections/backend-options.ts';
import { faultsOf } from '../../config/sections/problem.ts';
import { ReelError } from '../../errors.ts';
import type { AdminAccount } from '../admin-store.ts';
import type { Backend } from '../backends/backend.ts';
import type { HashQueue } from '../backends/hash-queue.ts';
import { makeHtpasswd } from '../backends/htpasswd.ts';
import { keysOfFile, keysOfUrl } from '../backends/jwks.ts';
import { makeJwt } from '../backends/jwt.ts';
import { PasswordFile } from '../backends/password-file.ts';
import { makeAccount, makeTicket } from '../backends/service.ts';
import { anonymous, enforceAuth } from '../backends/simple.ts';
import { makeStatic } from '../backends/static.ts';
import { UrlBackend } from '../backends/url.ts';
import type { TicketOffice } from '../tickets.ts';
import type { Level } from './decision.ts';
import type { Rule, RuleLists } from './engine.ts';
import { makeFilter } from './filter.ts';
import { makePermissions } from './permissions.ts';
import { listOf } from './words.ts';

export interface CompileParams {
  /** Files that options name lie here. */
  readonly files: string;
  readonly account: AdminAccount;
  readonly tickets: Pick<TicketOffice, 'redeem'>;
  readonly queue: HashQueue;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly log: { warn(facts: object, message: string): void };
}

/** Throws `config-invalid` that names every problem. */
const checked = (rules: unknown): AccessRules => {
  const faults = faultsOf(accessRulesSchema, rules);
  const problems = faults.length > 0 ? faults : checkAccessRules(rules as AccessRules);
  if (problems.length === 0) return rules as AccessRules;
  const [first] = problems;
  const more = problems.length === 1 ? '' : `, and ${problems.length - 1} more problems`;
  throw new ReelError('config-invalid', {
    expected: `${first?.path}: ${first?.expected}`,
    got: `${first?.got}${more}`,
    details: { problems },
  });
};

const makeBackend = ({ type, options = {} }: Role, params: CompileParams): Backend => {
  const { files, now, log, queue } = params;
  switch (type) {
    case 'anonymous':
      return anonymous;
    case 'enforce-auth':
      return enforceAuth;
    case 'account':
      return makeAccount(params.account, queue);
    case 'ticket':
      return makeTicket(params.tickets);
    case 'static':
      return makeStatic(options as StaticOptions, queue);
    case 'htpasswd': {
      const { filename, legacy_md5: withMd5 = false } = options as HtpasswdOptions;
      const onRefused = (refused: readonly object[]): void =>
        log.warn({ file: filename, refused: refused.slice(0, 20) }, 'lines of a file of users are refused');
      return makeHtpasswd(new PasswordFile({ path: path.join(files, filename), withMd5, onRefused }), queue);
    }
    case 'url':
      return new UrlBackend({ options: options as UrlOptions, now, log });
    case 'jwt': {
      const jwt = options as JwtOptions;
      const keys =
        jwt.jwks_url === undefined
          ? keysOfFile(path.join(files, jwt.jwks_file ?? ''))
          : keysOfUrl(jwt.jwks_url, jwt.timeout_ms ?? 5000);
      return makeJwt({ options: jwt, keys, now });
    }
  }
};

const count = (value: number | '*' | 'unlimited' | undefined): number | undefined =>
  typeof value === 'number' ? value : undefined;

export const compileRules = (text: unknown, params: CompileParams): RuleLists => {
  const rules = checked(text);
  const list = (level: Level, roles: Authentication = []): Rule[] =>
    roles.map((role, index) => ({
      level,
      place: index + 1,
      type: role.type,
      name: role.name ?? null,
      filter: makeFilter(role),
      permissions: makePermissions(role),
      backend: makeBackend(role, params),
      headers: role.http_headers ?? [],
      commands: [role.match_admin, role.nomatch_admin, role.allow_admin, role.deny_admin].flatMap(listOf),
      connectionsPerUser: count(role.connections_per_user as number),
      connectionSeconds: count(role.connection_duration as number),
    }));
  const named = (level: Level, from: AccessRules['streams'], key: (name: string) => string) =>
    new Map(Object.entries(from ?? {}).map(([name, { authentication }]) => [key(name), list(level, authentication)]));
  return {
    listeners: named('listen socket', rules.listeners, (name) => name),
    streams: named('stream', rules.streams, streamOfMount),
    defaultStream: list('default stream', rules.default_stream?.authentication),
    global: rules.authentication === undefined ? undefined : list('global', rules.authentication),
  };
};

export const everyRule = ({ listeners, streams, defaultStream, global = [] }: RuleLists): Rule[] => [
  ...[...listeners.values()].flat(),
  ...[...streams.values()].flat(),
  ...defaultStream,
  ...global,
];

export const closeRules = (lists: RuleLists): void => {
  for (const { backend } of everyRule(lists)) backend.close?.();
};
