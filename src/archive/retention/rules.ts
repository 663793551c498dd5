/** What an admin wants kept: the rules of one volume, and of its streams. */
import Type, { type Static } from 'typebox';
import { streamNamePattern } from '../../config/schema-words.ts';

/** One type and not a union: where values are coerced (the REST API), a 0 would become null there, which means no limit. */
const limit = (minimum: number, maximum: number, description: string) =>
  Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum, maximum, description });

const mostBytes = Number.MAX_SAFE_INTEGER;
const leastBytes = 1_048_576;

/** For one stream. `null`: no limit. */
export const streamRuleFields = {
  maxAgeSeconds: limit(3600, 3_153_600_000, 'recordings older than this go'),
  maxBytes: limit(leastBytes, mostBytes, 'what a stream holds beyond this goes, its oldest first'),
};

export const volumeRuleFields = {
  ...streamRuleFields,
  freeMinutes: limit(1, 43_200, 'room for so many minutes of recording is kept free'),
  freeBytes: limit(leastBytes, mostBytes, 'so much is kept free at least'),
};

export const share = Type.Integer({
  minimum: 1,
  maximum: 1000,
  description: 'weight of the stream where the volume must make room',
});

export const streamRulesSchema = Type.Partial(Type.Object({ ...streamRuleFields, share }), {
  additionalProperties: false,
});

/** `maxAgeSeconds` and `maxBytes` hold for each stream that has none of its own. */
export const rulesSchema = Type.Object(
  { ...volumeRuleFields, streams: Type.Record(Type.String({ pattern: streamNamePattern }), streamRulesSchema) },
  { additionalProperties: false },
);

export type RetentionRules = Static<typeof rulesSchema>;
/** What is left out is the volume's. */
export type OwnRules = Static<typeof streamRulesSchema>;

export interface StreamRules {
  readonly maxAgeSeconds: number | null;
  readonly maxBytes: number | null;
  readonly share: number;
}

/** Nothing is ever deleted. */
export const noRules: RetentionRules = {
  maxAgeSeconds: null,
  maxBytes: null,
  freeMinutes: null,
  freeBytes: null,
  streams: {},
};

export const rulesOf = (rules: RetentionRules, stream: string): StreamRules => {
  const { maxAgeSeconds, maxBytes } = rules;
  const own = Object.hasOwn(rules.streams, stream) ? rules.streams[stream] : {};
  return { maxAgeSeconds, maxBytes, share: 1, ...own };
};

/** Whether any rule could ever delete something. */
export const deletesAnything = ({ streams, ...volume }: RetentionRules): boolean =>
  Object.values(volume).some((value) => value !== null) ||
  Object.values(streams).some(({ maxAgeSeconds, maxBytes }) => (maxAgeSeconds ?? maxBytes ?? null) !== null);
