/** What the schemas of the verbs are made of. */
import { Type } from 'typebox';
import { volumeNamePattern } from '../../config/settings.ts';

export const strict = { additionalProperties: false };
/** Also the name of the mount point and of the container's file, hence so few characters and no leading dot or dash. */
export const name = Type.String({ pattern: volumeNamePattern });
/** Absolute; where it is not the default `<first root>/containers/<name>.luks`. The helper resolves it beneath the datapath itself. */
export const container = Type.Optional(Type.String({ pattern: '^/', maxLength: 4096 }));
/** Of the container that is registered: another one at the same place is refused. */
export const uuid = Type.Optional(Type.String({ pattern: '^[0-9a-f-]{36}$' }));
export const engine = Type.Union([Type.Literal('kernel'), Type.Literal('userspace')]);
/** `passphrase`: the bytes of the secret. `keyFile`: `<first root>/keys/<name>.key`, which never leaves the helper. */
export const key = Type.Union([Type.Literal('passphrase'), Type.Literal('keyFile')]);

export const minute = 60_000;

/** The secrets that belong to a request, in their order in the frame, by what an error calls them. */
export const none = (): readonly string[] => [];
export const byKey = (request: { readonly key: 'passphrase' | 'keyFile' }): readonly string[] =>
  request.key === 'passphrase' ? ['a passphrase'] : [];
