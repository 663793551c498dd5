/** The list of episodes that another system keeps: JSON over HTTP, `{"episodes":[{"id","stream","from","to"}]}`, times in Unix seconds. */
import Type from 'typebox';
import Value from 'typebox/value';
import { ReelError } from '../../errors.ts';
import type { Protection } from '../retention/reels.ts';
import { episodeFields, protectionOf } from './episode.ts';

const { stream, from, to } = episodeFields;
/** Further fields are the other system's own affair. */
const schema = Type.Object({ episodes: Type.Array(Type.Object({ stream, from, to })) });

const timeoutMs = 10_000;
const mostBytes = 16 * 1024 * 1024;

export interface EpisodeAddress {
  readonly url: URL;
  readonly authorization: string | null;
  /** For messages: the rest of the URL may be a secret. */
  readonly origin: string;
}

const bodyOf = async (answer: Response): Promise<string> => {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of answer.body ?? []) {
    bytes += (piece as Uint8Array).length;
    if (bytes > mostBytes) throw new Error(`more than ${mostBytes} bytes`);
    pieces.push(piece as Uint8Array);
  }
  return Buffer.concat(pieces).toString('utf8');
};

/** `episodes-unavailable` for everything else than a whole list. */
export const fetchEpisodes = async ({ url, authorization, origin }: EpisodeAddress): Promise<Protection[]> => {
  const refuse = (got: string, cause?: unknown): never => {
    throw new ReelError('episodes-unavailable', {
      expected: `the list of episodes of ${origin}`,
      got,
      hint: 'nothing is deleted until it answers again',
      cause,
      details: { origin },
    });
  };
  let text = '';
  try {
    const answer = await fetch(url, {
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      headers: { accept: 'application/json', ...(authorization === null ? {} : { authorization }) },
    });
    if (answer.status !== 200) {
      await answer.body?.cancel();
      return refuse(`status ${answer.status}`);
    }
    text = await bodyOf(answer);
  } catch (error) {
    if (error instanceof ReelError) throw error;
    return refuse('no answer', error);
  }
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    return refuse('an answer that is no JSON', error);
  }
  return Value.Check(schema, found) ? found.episodes.map(protectionOf) : refuse('an answer of another form');
};
