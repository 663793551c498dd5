/**
 * Signs the reels of streams with evidence as they are closed, and later those that a crash kept from it. One act a stream at a time; a
 * failure is told to `onFailure`, keeps nobody from recording, and the reel is signed at the next chance.
 */
import { type ReelError, toReelError } from '../../errors.ts';
import type { VolumeArchive } from '../archive.ts';
import { hourOf } from '../reel.ts';
import { type ChainHead, headStreams, readHead, writeHead } from './head.ts';
import type { SigningKey } from './key-store.ts';
import { publicKeysOf } from './public-keys.ts';
import { findHead, signReel } from './sign-reel.ts';
import { noPrevious } from './signature.ts';

export interface SignerParams {
  /** Throws where there is no key that can be used. */
  readonly key: () => SigningKey;
  /** All public keys there ever were, PEM: what they signed may be replaced as its reel goes on. */
  readonly publicKeys: () => readonly string[];
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly onFailure: (failure: Unsigned) => void;
  /** What could not be signed is, now. */
  readonly onSigned?: (archive: VolumeArchive, stream: string) => void;
}

/** Recordings with evidence that wait for their signature. */
export interface Unsigned {
  readonly archive: VolumeArchive;
  readonly stream: string;
  /** The first hour that waits; none where the chain itself could not be read or begun. */
  readonly hour: number | undefined;
  readonly error: ReelError;
}

interface Chain {
  /** The last act; never rejects. */
  busy: Promise<void>;
  head: ChainHead | undefined;
  /** The hour that the session in it writes. */
  writing: number | undefined;
  /** The hour that is being signed. */
  signing: number | undefined;
  /** The last act failed, or an hour is damaged: something waits. */
  behind: boolean;
  /** Hours that were not signed because what was signed of them, or its signature, was changed. Others go on behind them. */
  readonly damaged: Map<number, ReelError>;
}

const newChain = (): Chain => ({
  ...{ busy: Promise.resolve(), head: undefined, behind: false, damaged: new Map() },
  ...{ writing: undefined, signing: undefined },
});

const lastHour = hourOf(Date.UTC(9999, 11, 31, 23) * 1000);

export class EvidenceSigner {
  readonly #params: SignerParams;
  readonly #chains = new WeakMap<VolumeArchive, Map<string, Chain>>();

  constructor(params: SignerParams) {
    this.#params = params;
  }

  /** Signs what was closed and not signed, in the background. The cost goes by the streams with evidence, not by the archive. */
  attached(archive: VolumeArchive): void {
    for (const stream of headStreams(archive.files))
      this.#soon(archive, stream, (chain) => this.#catchUp(archive, stream, chain));
  }

  /**
   * Before a session: what is left of former ones is signed first. From a stream's first session with evidence on, its reels have a chain. Rejects
   * where that cannot be begun.
   */
  async begin(archive: VolumeArchive, stream: string, evidence: boolean): Promise<void> {
    const chain = this.#chain(archive, stream);
    await chain.busy;
    const known = readHead(archive.files, stream) !== undefined;
    if (!known && !evidence) return;
    if (!known) {
      const found = findHead(archive.files, stream, archive.hoursBack(stream));
      const before = { number: 0, hour: hourOf(this.#params.now() * 1000) - 1, digest: noPrevious };
      await writeHead(archive.files, stream, found ?? before);
    }
    this.#soon(archive, stream, () => this.#catchUp(archive, stream, chain));
    await chain.busy;
  }

  /** Segments of this hour became durable: an hour before it is closed. */
  durable(archive: VolumeArchive, stream: string, hour: number): void {
    const chain = this.#chain(archive, stream);
    const former = chain.writing;
    chain.writing = hour;
    if (chain.head !== undefined && former !== undefined && former < hour)
      this.#soon(archive, stream, () => this.#closed(archive, stream, chain, former));
  }

  /** The session has ended. `clean`: its reel is closed. Resolves when it is signed. */
  async ended(archive: VolumeArchive, stream: string, clean: boolean): Promise<void> {
    const chain = this.#chain(archive, stream);
    const hour = chain.writing;
    chain.writing = undefined;
    if (clean && chain.head !== undefined && hour !== undefined)
      this.#soon(archive, stream, () => this.#closed(archive, stream, chain, hour));
    await chain.busy;
  }

  /** Resolves when nothing of the volume is being signed. */
  async settled(archive: VolumeArchive): Promise<void> {
    await Promise.all([...(this.#chains.get(archive)?.values() ?? [])].map(({ busy }) => busy));
  }

  #chain(archive: VolumeArchive, stream: string): Chain {
    const chains = this.#chains.get(archive) ?? new Map<string, Chain>();
    this.#chains.set(archive, chains);
    const chain = chains.get(stream) ?? newChain();
    chains.set(stream, chain);
    return chain;
  }

  #soon(archive: VolumeArchive, stream: string, act: (chain: Chain) => Promise<void>): void {
    const chain = this.#chain(archive, stream);
    chain.busy = chain.busy
      .then(async () => {
        await act(chain);
        const [damage] = chain.damaged;
        if (damage !== undefined) {
          chain.signing = damage[0];
          throw damage[1];
        }
        if (chain.behind) this.#params.onSigned?.(archive, stream);
        chain.behind = false;
      })
      .catch((error) => {
        chain.behind = true;
        this.#params.onFailure({ archive, stream, hour: chain.signing, error: toReelError(error) });
      })
      .finally(() => {
        chain.signing = undefined;
      });
  }

  /** The reel of an hour was closed. What waits before it comes first: numbers go by time. */
  #closed(archive: VolumeArchive, stream: string, chain: Chain, hour: number): Promise<void> {
    return chain.behind ? this.#catchUp(archive, stream, chain, hour) : this.#sign(archive, stream, chain, hour, false);
  }

  /**
   * The newest signed hour again (it may have gone on), and all after it up to `closed`, in order: it stops at the first that cannot be signed,
   * but goes on behind one that was changed.
   */
  async #catchUp(archive: VolumeArchive, stream: string, chain: Chain, closed?: number): Promise<void> {
    chain.head = readHead(archive.files, stream);
    if (chain.head === undefined) return;
    const from = chain.head.number === 0 ? chain.head.hour + 1 : chain.head.hour;
    const upTo = closed ?? lastHour;
    for (const hour of archive.hours(stream, from * 3_600_000_000, upTo * 3_600_000_000))
      await this.#sign(archive, stream, chain, hour, hour !== closed);
  }

  async #sign(archive: VolumeArchive, stream: string, chain: Chain, hour: number, recovered: boolean): Promise<void> {
    const { key, publicKeys, now } = this.#params;
    if (chain.head === undefined) return;
    const { files } = archive;
    chain.signing = hour;
    const keys = () => publicKeysOf(publicKeys());
    try {
      chain.head = await signReel({ files, stream, hour, head: chain.head, key: key(), keys, now, recovered });
      chain.damaged.delete(hour);
    } catch (error) {
      const told = toReelError(error);
      if (told.code !== 'evidence-damaged') throw error;
      chain.damaged.set(hour, told);
    }
  }
}
