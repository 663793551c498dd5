import path from 'node:path';
import type { Logger } from 'pino';
import { ReelError, toReelError } from '../../errors.ts';
import type { HelperClient, Reply } from '../../helper/client.ts';
import type { Unlocked } from '../../helper/protocol/unlock.ts';
import { otherKeysHint } from '../key-file.ts';
import { KeyedMutex } from '../mutex.ts';
import { openOtherwise } from '../open-otherwise.ts';
import { repeat } from '../repeat.ts';
import type { VolumeFacts } from '../watch/facts.ts';
import { attachment, bringUp } from './bring-up.ts';
import { tellProgress } from './follow-progress.ts';
import type { LockOptions, OpenVolume, VolumeEvent, VolumeHooks } from './hooks.ts';
import { type Limits, limitsOf } from './limits.ts';
import { Listeners, openedOf } from './listeners.ts';
import { lockVolume } from './lock.ts';
import { type LockedVolume, ManagedVolume, type VolumeView } from './managed-volume.ts';
import { type CreateParams, chooseEngine, createRequest, freeContainer, recordOf, refuseTaken } from './new-volume.ts';
import { failureOf } from './next-step.ts';
import { reconcileVolume } from './reconcile.ts';
import { type VolumeRecord, VolumeRegistry } from './registry.ts';
import { type SlammedView, slamVolume } from './slam.ts';
import type { Turn } from './turn.ts';
import { VolumeWatch } from './watch.ts';

export interface VolumeManagerParams {
  readonly stateDirectory: string;
  readonly helper: HelperClient;
  readonly log: Logger;
  readonly now: () => number;
  readonly limits?: Limits;
  /** Milliseconds between two looks at the volumes. */
  readonly watchIntervalMs?: number;
  /** How long a block plane may let requests wait. */
  readonly hangMs?: () => number;
}

export interface OpenOptions {
  readonly readOnly?: boolean;
}

/** The volumes of this service: what they are, what state they are in, and the way into those that are open. */
export class VolumeManager {
  readonly #params: VolumeManagerParams;
  readonly #registry: VolumeRegistry;
  readonly #volumes = new Map<string, ManagedVolume>();
  readonly #mutex = new KeyedMutex();
  readonly #listeners: Listeners;
  readonly #watchman: VolumeWatch;
  #endWatch: () => Promise<void> = async () => {};

  constructor(params: VolumeManagerParams) {
    this.#params = params;
    this.#registry = new VolumeRegistry(path.join(params.stateDirectory, 'volumes.json'));
    const { helper, log, now, hangMs, limits = limitsOf({}) } = params;
    this.#listeners = new Listeners({ log });
    const manager = {
      lose: (volume: ManagedVolume, error: ReelError) => this.#lose(volume, error),
      reconcile: (volume: ManagedVolume) => this.#reconcile(volume.record.name),
      pause: ({ record: { name } }: ManagedVolume, reason: ReelError | undefined) =>
        this.#listeners.paused(name, reason),
      tell: (event: VolumeEvent) => this.tell(event),
    };
    this.#watchman = new VolumeWatch({ helper, log, now, limits, manager, hangMs });
  }

  /** Before `start`, so that nobody misses the volumes that are adopted. */
  use(hooks: VolumeHooks): void {
    this.#listeners.add(hooks);
  }

  /** Loads the list and adopts what is open. A helper that does not answer is no reason not to start: the watch goes on asking. */
  async start(): Promise<void> {
    for (const record of await this.#registry.load()) this.#add(record);
    await this.adoptAll();
    this.#endWatch = repeat(this.#params.watchIntervalMs ?? 1000, () => this.#watch());
  }

  /** Ends the watch and closes the descriptors. The volumes stay open: the next start adopts them. */
  async close(): Promise<void> {
    await this.#endWatch();
    await this.#mutex.idle();
    for (const volume of this.#volumes.values()) await volume.release();
  }

  list(): VolumeView[] {
    return [...this.#volumes.values()].map((volume) => volume.view());
  }

  /** Throws `not-found`. */
  get(name: string): VolumeView {
    return this.#volume(name).view();
  }

  /** The way into an open volume. Throws `not-found`, `volume-state`. */
  opened(name: string): OpenVolume {
    return openedOf(this.#volume(name));
  }

  async adoptAll(): Promise<void> {
    await Promise.all([...this.#volumes.keys()].map((name) => this.#mutex.run(name, () => this.#reconcile(name))));
  }

  create(params: CreateParams): Promise<VolumeView> {
    return this.#mutex.run(params.name, () => this.#create(params));
  }

  /** Idempotent. The caller zeroes `passphrase`. With `readOnly` nothing is written, and nothing can be recorded into it. */
  open(name: string, passphrase?: Buffer, { readOnly = false }: OpenOptions = {}): Promise<VolumeView> {
    return this.#mutex.run(name, () => this.#open(this.#volume(name), passphrase, readOnly));
  }

  /**
   * Opens a locked volume by the ways that the helper finds; undefined when it is not locked any more, or `wanted` says no by the time it is
   * its turn. Throws `auto-open-failed`.
   */
  openUnattended(name: string, wanted: () => boolean): Promise<Unlocked | undefined> {
    return this.#mutex.run(name, async () => {
      const volume = this.#volumes.get(name);
      return volume?.state === 'locked' && wanted() ? this.#openUnattended(volume) : undefined;
    });
  }

  /** Idempotent. Throws `volume-busy` with all of `details.streams`, `.leases` and `.holders` that is in the way; then the volume stays open. */
  lock(name: string, options: Partial<LockOptions> = {}): Promise<LockedVolume> {
    const { log } = this.#params;
    return this.exclusive(name, (turn) =>
      lockVolume({
        ...{ turn, listeners: this.#listeners, log },
        options: { drain: false, ...options },
        keep: () => this.#opened(turn.volume),
      }),
    );
  }

  /** Locks a volume by force; see `slam.ts`. `deadlineMs` lies between SIGTERM and SIGKILL. Idempotent. */
  slam(name: string, { deadlineMs }: { readonly deadlineMs: number }): Promise<SlammedView> {
    const { log } = this.#params;
    return this.exclusive(name, (turn) => slamVolume({ turn, listeners: this.#listeners, deadlineMs, log }));
  }

  /** Runs `work` while nobody else changes the volume. Throws `not-found`. */
  exclusive<T>(name: string, work: (turn: Turn) => Promise<T>): Promise<T> {
    return this.#mutex.run(name, () =>
      work({
        volume: this.#volume(name),
        helper: this.#params.helper,
        save: () => this.#save(),
        reconcile: () => this.#reconcile(name),
        forget: () => this.#remove(this.#volume(name)),
        tell: (event) => this.tell(event),
      }),
    );
  }

  /** What the helper saw of a volume at its last look; undefined where it does not answer. */
  watched(name: string): VolumeFacts | undefined {
    return this.#volume(name).watched;
  }

  /** Tells everybody who watches. */
  tell(event: VolumeEvent): void {
    this.#listeners.tell(event);
  }

  async #create(params: CreateParams): Promise<VolumeView> {
    const { name, passphrase } = params;
    if (this.#volumes.has(name)) {
      throw new ReelError('already-exists', {
        expected: `no volume ${name} yet`,
        got: 'one',
        hint: 'choose another name',
      });
    }
    refuseTaken(this.list(), params.device);
    const { helper, now } = this.#params;
    const engine = params.engine ?? (await chooseEngine(helper));
    const request = createRequest(params, engine);
    const createdAt = new Date(now()).toISOString();
    const container = await freeContainer(helper, name);
    const record = recordOf(request, container, createdAt);
    const volume = this.#add(record);
    volume.become('creating');
    try {
      await this.#save();
      const { result, fd } = await this.#followed(volume, () =>
        helper.call(request, ...(passphrase === undefined ? [] : [passphrase])),
      );
      const { uuid, cipher, keyBits, sectorSize } = result;
      const { filesystem = 'ext4' } = request;
      const { newUuid: _, ...known } = record;
      volume.record = { ...known, size: result.size ?? record.size, uuid, cipher, keyBits, sectorSize, filesystem };
      volume.become(result.state === 'open' ? 'open' : 'locked', { report: result, fd });
      await this.#save();
    } catch (thrown) {
      if (toReelError(thrown).code === 'already-exists') {
        // Files of this name that this service did not make: none of its business.
        this.#volumes.delete(name);
        await this.#save();
      } else {
        // Nothing is left of it, or only the answer was lost; without a helper to ask, the watch finds out.
        await this.#reconcile(name);
      }
      throw thrown;
    }
    if (volume.state === 'open') await this.#opened(volume);
    return volume.view();
  }

  async #open(volume: ManagedVolume, passphrase: Buffer | undefined, readOnly: boolean): Promise<VolumeView> {
    const { name } = volume.record;
    if (volume.state === 'open' && volume.readOnly === readOnly) return volume.view();
    if (volume.state === 'open') throw openOtherwise(name, readOnly);
    if (volume.record.key === 'passphrase' && passphrase === undefined) {
      const missing = { expected: `a key for the volume ${name}`, got: 'none', hint: otherKeysHint };
      throw new ReelError('invalid-argument', missing);
    }
    // One with a key file may have passphrases and a recovery key beside it.
    const key = passphrase === undefined ? 'keyFile' : 'passphrase';
    const request = { verb: 'open', ...attachment(volume), key, readOnly } as const;
    const secrets = passphrase === undefined ? [] : [passphrase];
    await bringUp(volume, () => this.#followed(volume, () => this.#params.helper.call(request, ...secrets)));
    await this.#opened(volume);
    return volume.view();
  }

  async #openUnattended(volume: ManagedVolume): Promise<Unlocked> {
    const request = { verb: 'unlock', ...attachment(volume) } as const;
    const call = (): Promise<Reply<'unlock'>> => this.#followed(volume, () => this.#params.helper.call(request));
    const unlocked = await bringUp(volume, call, { shown: true });
    await this.#opened(volume);
    return unlocked;
  }

  #followed<T>(volume: ManagedVolume, work: () => Promise<T>): Promise<T> {
    return tellProgress({ volume, helper: this.#params.helper, tell: (event) => this.tell(event) }, work);
  }

  #reconcile(name: string): Promise<void> {
    const { helper, log } = this.#params;
    return reconcileVolume(this.#volume(name), {
      ...{ helper, log },
      save: () => this.#save(),
      remove: (volume) => this.#remove(volume),
      opened: (volume) => this.#opened(volume),
    });
  }

  async #remove(volume: ManagedVolume): Promise<void> {
    volume.become('absent');
    this.#volumes.delete(volume.record.name);
    await this.#save();
  }

  async #watch(): Promise<void> {
    const quiet = [...this.#volumes.values()].filter(({ record }) => !this.#mutex.busy(record.name));
    const changes = new Map(quiet.map((volume) => [volume.record.name, volume.changes]));
    const found = new Map((await this.#watchman.ask(quiet))?.map((facts) => [facts.name, facts]));
    for (const volume of quiet) {
      const { name } = volume.record;
      const facts = found.get(name);
      volume.watched = facts;
      if (this.#mutex.busy(name) || volume.changes !== changes.get(name)) continue;
      volume.room = facts?.room ?? volume.room;
      if (volume.failure?.error.code === 'helper-unavailable') {
        await this.#mutex.run(name, () => this.#reconcile(name));
      } else if (facts !== undefined) {
        await this.#mutex.run(name, () => this.#watchman.follow(volume, facts));
      }
    }
  }

  /** Hands an open volume to the parts above. One that cannot use it is seen at the volume. */
  async #opened(volume: ManagedVolume): Promise<void> {
    await this.#watchman.opened(volume, await this.#listeners.opened(volume));
  }

  async #lose(volume: ManagedVolume, error: ReelError): Promise<void> {
    const { name } = volume.record;
    this.#params.log.error({ volume: name, err: error }, 'an open volume was lost');
    volume.become('failed', { failure: failureOf(error) });
    await this.#listeners.lost(name, error);
    await volume.release();
  }

  #volume(name: string): ManagedVolume {
    const volume = this.#volumes.get(name);
    if (volume !== undefined) return volume;
    throw new ReelError('not-found', { expected: `a volume ${name}`, got: 'none of this name' });
  }

  #add(record: VolumeRecord): ManagedVolume {
    const volume = new ManagedVolume(record, (view) => this.#listeners.state(view));
    this.#volumes.set(record.name, volume);
    return volume;
  }

  #save(): Promise<void> {
    return this.#registry.save([...this.#volumes.values()].map((volume) => volume.record));
  }
}
