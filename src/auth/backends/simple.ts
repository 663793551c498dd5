/** The types that look at nothing outside: `anonymous` and `enforce-auth`. */
import { type Backend, failure, match, noMatch } from './backend.ts';

export const anonymous: Backend = {
  asksCredentials: false,
  hashes: false,
  ask: async () => match('anonymous matches everybody'),
  assume: async () => match('anonymous matches everybody'),
};

/** Turns away who brings no credentials at all before anything behind it is bothered. */
export const enforceAuth: Backend = {
  asksCredentials: true,
  hashes: false,
  ask: async ({ credentials, bearer, ticket }) =>
    credentials === undefined && bearer === undefined && ticket === undefined
      ? failure('there are no credentials')
      : noMatch('there are credentials; the next role says whether they are good'),
  assume: async (_request, user) =>
    user === undefined ? failure('there are no credentials') : noMatch('there would be credentials'),
};
