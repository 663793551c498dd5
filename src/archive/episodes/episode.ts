/** An episode: a stretch of a stream that retention never takes. */
import Type, { type Static } from 'typebox';
import { streamNamePattern } from '../../config/schema-words.ts';
import type { Protection } from '../retention/reels.ts';

const seconds = (description: string) => Type.Number({ minimum: 0, maximum: 253_402_300_799, description });

export const episodeIdPattern = streamNamePattern;

export const episodeFields = {
  stream: Type.String({ pattern: streamNamePattern }),
  from: seconds('Unix seconds'),
  to: seconds('Unix seconds; may lie in the future'),
  expiresAt: Type.Union([seconds('Unix seconds'), Type.Null()], {
    description: 'protects until then; null: until it is removed',
  }),
  note: Type.String({ maxLength: 200 }),
};

export const episodeSchema = Type.Object(
  { id: Type.String({ pattern: episodeIdPattern }), ...episodeFields },
  { additionalProperties: false },
);
export type Episode = Static<typeof episodeSchema>;

export const isExpired = ({ expiresAt }: Episode, nowMs: number): boolean =>
  expiresAt !== null && expiresAt * 1000 <= nowMs;

export const sameEpisode = (a: Episode, b: Episode): boolean =>
  a.stream === b.stream && a.from === b.from && a.to === b.to && a.expiresAt === b.expiresAt && a.note === b.note;

export const protectionOf = ({ stream, from, to }: Pick<Episode, 'stream' | 'from' | 'to'>): Protection => ({
  stream,
  fromUs: from * 1e6,
  toUs: to * 1e6,
  kind: 'episode',
});
