/** Two secrets in one body: the one that opens now, then the new one. The query says how long the first is, as cryptsetup's own framing does. */
import Type from 'typebox';
import { ReelError } from '../errors.ts';
import { maxSecretBytes } from './secret-body.ts';

export const currentQuery = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: maxSecretBytes,
    description:
      'that many bytes of the body are the key that opens now; without it the key file of the volume is used',
  }),
);

export interface TwoSecrets {
  readonly current: Buffer | undefined;
  readonly rest: Buffer | undefined;
}

/** Views of `body`, which is zeroed as a whole. Throws `invalid-argument` for a body shorter than `current` says. */
export const splitSecrets = (body: Buffer | undefined, current: number | undefined): TwoSecrets => {
  if (current === undefined) return { current: undefined, rest: body };
  if (body === undefined || body.length < current) {
    throw new ReelError('invalid-argument', {
      expected: `a body of at least ${current} bytes`,
      got: `${body?.length ?? 0}`,
    });
  }
  return { current: body.subarray(0, current), rest: body.length === current ? undefined : body.subarray(current) };
};

/** A secret that this request cannot do without. */
export const needed = (secret: Buffer | undefined, what: string): Buffer => {
  if (secret !== undefined) return secret;
  throw new ReelError('invalid-argument', { expected: `${what} in the body (application/octet-stream)`, got: 'none' });
};

/** For requests that take no second secret. */
export const refuseRest = ({ current, rest }: TwoSecrets): Buffer | undefined => {
  if (rest === undefined) return current;
  throw new ReelError('invalid-argument', {
    expected: 'no more bytes than `current` says',
    got: `${rest.length} more`,
  });
};
