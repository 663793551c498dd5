/**
 * Tokens of another service (JSON Web Tokens, RFC 7519), in `Authorization: Bearer`. A token of another issuer is no match; one of this issuer
 * that has run out, is for somebody else or is signed wrongly has failed. `exp` is a must, and ends what the token began.
 */
import { decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { JwtOptions } from '../../config/sections/backend-options.ts';
import type { RuleRequest } from '../rules/request.ts';
import { type Answer, type Backend, failure, match, noMatch, unasked } from './backend.ts';
import { KeysUnavailable } from './jwks.ts';

export interface JwtParams {
  readonly options: JwtOptions;
  readonly keys: JWTVerifyGetKey;
  readonly now: () => number;
}

const defaultAlgorithms = ['EdDSA', 'Ed25519', 'ES256', 'RS256'];

/** What came of a token that was not accepted. The library's words name claims and never quote the token. */
const refusal = (error: unknown, { on_error = 'deny' }: JwtOptions): Answer => {
  if (error instanceof errors.JWTExpired) return failure('the token has run out');
  if (error instanceof errors.JWTClaimValidationFailed)
    return failure(`the claim ${error.claim} of the token is not acceptable`);
  if (error instanceof errors.JWSSignatureVerificationFailed) return failure('the signature of the token is wrong');
  if (error instanceof errors.JOSEAlgNotAllowed) return failure('the algorithm of the token is not allowed');
  if (error instanceof errors.JWKSNoMatchingKey) return failure('the token names a key that is not in the key set');
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid) return failure('it is no token');
  if (error instanceof KeysUnavailable) return unasked(on_error, `the key set cannot be read (${error.message})`);
  return unasked(on_error, 'the key set cannot be had');
};

/** Read without a proof, and only to find out whose business the token is. Undefined where it is no such token. */
const claimedIssuer = (token: string): unknown => {
  try {
    return decodeJwt(token).iss ?? null;
  } catch {
    return undefined;
  }
};

const streamsOf = (payload: JWTPayload, claim: string): readonly string[] => {
  const value = payload[claim];
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
};

/** Undefined where the token is good for the request. */
const outside = (
  payload: JWTPayload,
  { streams_claim: claim }: JwtOptions,
  { stream }: RuleRequest,
): string | undefined => {
  if (claim === undefined) return undefined;
  if (stream === undefined) return 'the token is good for streams, and the request is about none';
  const streams = streamsOf(payload, claim);
  return streams.includes(stream) || streams.includes('*') ? undefined : 'the token is not good for this stream';
};

export const makeJwt = ({ options, keys, now }: JwtParams): Backend => ({
  asksCredentials: true,
  hashes: false,
  ask: async (request) => {
    if (request.bearer === undefined) return noMatch('there is no bearer token');
    const issuerSaid = claimedIssuer(request.bearer);
    if (issuerSaid === undefined) return noMatch('the bearer token is no JSON Web Token');
    if (issuerSaid !== options.issuer) return noMatch('the token is of another issuer');
    const at = now();
    let payload: JWTPayload;
    try {
      const { issuer, audience, algorithms = defaultAlgorithms, leeway_seconds: clockTolerance = 0 } = options;
      const limits = {
        issuer,
        audience,
        algorithms,
        clockTolerance,
        requiredClaims: ['exp'],
        currentDate: new Date(at),
      };
      ({ payload } = await jwtVerify(request.bearer, keys, limits));
    } catch (error) {
      return refusal(error, options);
    }
    const why = outside(payload, options, request);
    if (why !== undefined) return failure(why);
    const user = payload[options.user_claim ?? 'sub'];
    const remainingMs = ((payload.exp ?? 0) + (options.leeway_seconds ?? 0)) * 1000 - at;
    return match('the token is good', { remainingMs, ...(typeof user === 'string' ? { user } : {}) });
  },
  assume: async () => noMatch('it asks for a bearer token'),
});
