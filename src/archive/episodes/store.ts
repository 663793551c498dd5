/**
 * The episodes of a volume, in `.reelvault/episodes.json` in the volume itself: they protect its recordings wherever it is opened, also after the state
 * directory was lost. Read anew each time: what is there counts.
 */
import { randomUUID } from 'node:crypto';
import Type from 'typebox';
import { ReelError, toReelError } from '../../errors.ts';
import { type NoteFiles, readNote, writeNote } from '../note-file.ts';
import { type Episode, episodeSchema, isExpired, sameEpisode } from './episode.ts';

const file = '.reelvault/episodes.json';
const schema = Type.Object({ layout: Type.Literal(1), episodes: Type.Array(episodeSchema) });

const mostEpisodes = 10_000;
/** Expired ones are forgotten so much later: a clock that was wrong for a while must not have unprotected anything for good. */
const rememberMs = 30 * 86_400_000;

const unavailable = (cause: ReelError): ReelError =>
  new ReelError('episodes-unavailable', {
    expected: `the episodes in ${file}`,
    got: `${cause.code}: ${cause.parts.got}`,
    hint: 'restore the file; without it nothing is deleted',
    cause,
  });

export class EpisodeStore {
  readonly #files: NoteFiles;
  readonly #now: () => number;

  /** `now`: Unix milliseconds. */
  constructor(params: { files: NoteFiles; now: () => number }) {
    this.#files = params.files;
    this.#now = params.now;
  }

  /** All that are kept, those that have expired too. `episodes-unavailable` where the file cannot be read, or is missing although it `mustExist`. */
  async list({ mustExist }: { readonly mustExist: boolean }): Promise<readonly Episode[]> {
    let found: { readonly episodes: readonly Episode[] } | undefined;
    try {
      found = await readNote(this.#files, file, schema);
    } catch (error) {
      throw unavailable(toReelError(error));
    }
    if (found === undefined && mustExist)
      throw unavailable(new ReelError('not-found', { expected: file, got: 'no such file' }));
    return found?.episodes ?? [];
  }

  /** Makes sure that there is a file, so that a missing one means that it was lost. */
  async ensure(): Promise<void> {
    if (this.#files.stat(file) === null) await writeNote(this.#files, file, { layout: 1, episodes: [] });
  }

  /**
   * Adds an episode; durable on return. The same again is its own answer. `already-exists` for another one of that id unless `replace`,
   * `invalid-argument` for one that protects nothing.
   */
  async put(wanted: Omit<Episode, 'id'> & { readonly id?: string }, replace: boolean): Promise<Episode> {
    const now = this.#now();
    const episode: Episode = { ...wanted, id: wanted.id ?? randomUUID() };
    if (episode.to <= episode.from)
      throw new ReelError('invalid-argument', { expected: 'an end after the start', got: `${episode.to}` });
    if (isExpired(episode, now))
      throw new ReelError('invalid-argument', { expected: 'an expiry in the future', got: `${episode.expiresAt}` });
    const all = await this.list({ mustExist: false });
    const former = all.find(({ id }) => id === episode.id);
    if (former !== undefined && sameEpisode(former, episode)) return former;
    if (former !== undefined && !replace && !isExpired(former, now))
      throw new ReelError('already-exists', {
        expected: 'no other episode of this id',
        got: `${episode.id}, which protects ${former.from} to ${former.to} of ${former.stream}`,
        hint: 'choose another id, or replace it',
        details: { ...former },
      });
    const kept = all.filter(({ id, expiresAt }) => {
      const forgotten = expiresAt !== null && expiresAt * 1000 + rememberMs <= now;
      return id !== episode.id && !forgotten;
    });
    if (kept.length >= mostEpisodes)
      throw new ReelError('too-many-episodes', { expected: `at most ${mostEpisodes}`, got: 'one more' });
    await writeNote(this.#files, file, { layout: 1, episodes: [...kept, episode] });
    return episode;
  }

  /** Durable on return. The episode that was there, or `undefined`. */
  async remove(id: string): Promise<Episode | undefined> {
    const all = await this.list({ mustExist: false });
    const former = all.find((episode) => episode.id === id);
    if (former === undefined) return undefined;
    await writeNote(this.#files, file, { layout: 1, episodes: all.filter((episode) => episode !== former) });
    return former;
  }
}
