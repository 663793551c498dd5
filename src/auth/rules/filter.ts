/**
 * Which requests a role is about. By default all. Of two words the one that names a value more closely counts; of two as close, `nomatch`.
 * A `match` list without `nomatch` means these and no others.
 */
import type { Role } from '../../config/sections/authentication.ts';
import type { RuleRequest } from './request.ts';
import { closest, listOf, sideOf, type Words } from './words.ts';

/** Why the role is not about the request; undefined when it is. */
export type Filter = (request: RuleRequest) => string | undefined;

const lists = (name: string, match: Words | undefined, nomatch: Words | undefined, normal = (word: string) => word) => {
  const yes = listOf(match).map(normal);
  const no = listOf(nomatch).map(normal);
  return (value: string | undefined, told: string): string | undefined => {
    const wanted = closest(yes, value ?? '');
    const unwanted = closest(no, value ?? '');
    if (unwanted !== undefined && unwanted.closeness >= (wanted?.closeness ?? 0))
      return `nomatch_${name} has ${unwanted.word}, and the request is ${told}`;
    if (wanted === undefined && match !== undefined) return `match_${name} does not have ${told}`;
    return undefined;
  };
};

export const makeFilter = (role: Role): Filter => {
  const method = lists('method', role.match_method, role.nomatch_method, (word) => word.toUpperCase());
  const admin = lists('admin', role.match_admin, role.nomatch_admin);
  const origin = lists('origin', role.match_origin, role.nomatch_origin);
  const web = sideOf(role.match_web, role.nomatch_web) ?? true;
  return (request) => {
    const came = request.header('origin');
    const domain =
      request.command === undefined
        ? web
          ? undefined
          : `${role.nomatch_web === undefined ? 'match_web' : 'nomatch_web'} leaves out what is not the API`
        : admin(request.command, `the command ${request.command}`);
    return (
      method(request.method, request.method) ??
      domain ??
      origin(came, came === undefined ? 'without Origin' : `of the origin ${came}`)
    );
  };
};
