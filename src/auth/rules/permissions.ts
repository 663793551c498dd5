/**
 * What a role that matched allows. By default the methods GET and OPTIONS, of the API only `buildm3u` (playlists, which are no part of the API
 * here), and the web. Of two words the one that names a value more closely counts, whatever their order; of two as close, `deny`.
 */
import type { Role } from '../../config/sections/authentication.ts';
import type { RuleRequest } from './request.ts';
import { closest, listOf, type Named, sideOf, type Words } from './words.ts';

export interface Verdict {
  readonly allowed: boolean;
  readonly why: string;
}

export type Permissions = (request: RuleRequest) => Verdict;

const defaultMethods = ['GET', 'OPTIONS'];
const defaultCommands = ['buildm3u'];

interface Dimension {
  readonly name: string;
  readonly allow: Words | undefined;
  readonly deny: Words | undefined;
  readonly byDefault: readonly string[];
  /** What `allow_all` or `deny_all` says. */
  readonly all: boolean | undefined;
  readonly normal: (word: string) => string;
}

const dimension = ({ name, allow, deny, byDefault, all, normal }: Dimension) => {
  const [yes, no] = [listOf(allow).map(normal), listOf(deny).map(normal)];
  const denies = ({ word }: Named): Verdict => ({ allowed: false, why: `deny_${name} has ${word}` });
  return (value: string): Verdict => {
    const allowed = closest(yes, value);
    const denied = closest(no, value);
    if (denied !== undefined && denied.closeness >= (allowed?.closeness ?? 0)) return denies(denied);
    if (allowed !== undefined) return { allowed: true, why: `allow_${name} has ${allowed.word}` };
    if (all !== undefined) return { allowed: all, why: all ? 'allow_all' : 'deny_all' };
    return byDefault.includes(value)
      ? { allowed: true, why: `${value} is allowed by default` }
      : { allowed: false, why: `${value} is not allowed by default` };
  };
};

export const makePermissions = (role: Role): Permissions => {
  const all = sideOf(role.allow_all, role.deny_all);
  const method = dimension({
    ...{ name: 'method', allow: role.allow_method, deny: role.deny_method, all },
    ...{ byDefault: defaultMethods, normal: (word: string) => word.toUpperCase() },
  });
  const admin = dimension({
    ...{ name: 'admin', allow: role.allow_admin, deny: role.deny_admin, all },
    ...{ byDefault: defaultCommands, normal: (word: string) => word },
  });
  const ownWeb = sideOf(role.allow_web, role.deny_web);
  const web = (): Verdict => {
    if (ownWeb !== undefined) return { allowed: ownWeb, why: ownWeb ? 'allow_web' : 'deny_web' };
    if (all !== undefined) return { allowed: all, why: all ? 'allow_all' : 'deny_all' };
    return { allowed: true, why: 'web is allowed by default' };
  };
  return (request) => {
    const byMethod = method(request.method);
    if (!byMethod.allowed) return byMethod;
    return request.command === undefined ? web() : admin(request.command);
  };
};
