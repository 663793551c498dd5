/** One demo, from the first directory to the proof that nothing is left. Each step that takes effect says how it is taken back. */
import { createWriteStream, type WriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReelError } from '../errors.ts';
import { HelperClient } from '../helper/client.ts';
import type { StreamView } from '../http/streams.ts';
import type { VolumeView } from '../http/volumes.ts';
import { type Started, Supervisor } from '../supervisor/supervisor.ts';
import { DemoApi } from './api.ts';
import { findLeftovers } from './leftovers.ts';
import { onFreePort, type Place, preparePlace } from './place.ts';
import { Publisher } from './publisher.ts';
import { type ReelReport, readReels } from './report.ts';

export interface DemoParams {
  /** Directory to leave behind, as the user wrote it; without it everything is removed. */
  readonly keep?: string;
  readonly say: (text: string) => void;
}

export interface DemoResult {
  readonly volume: {
    readonly container: string;
    readonly uuid: string | null;
    readonly type: string;
    readonly cipher: string | null;
    readonly engine: string;
    readonly keyFile: string | null;
  };
  readonly stream: string;
  readonly seconds: number;
  readonly segments: number;
  readonly bytes: number;
  /** Address the archive playlist had; its text is in `archive.m3u8`. */
  readonly playlist: string;
  readonly reels: readonly ReelReport[];
}

const stream = 'cam1';
const volumeName = 'demo';
const volumeBytes = 1024 ** 3;

export class Demo {
  readonly #say: (text: string) => void;
  #place: Place;
  readonly #log: WriteStream;
  #supervisor: Supervisor;
  #api: DemoApi | undefined;
  #url = '';
  #certificateFile = '';
  #volume: VolumeView | undefined;
  /** Settled when no order to open a volume is on its way any more. */
  #opening: Promise<unknown> = Promise.resolve();
  #publisher: Publisher | undefined;
  #startedAt = 0;
  readonly #stopped = new AbortController();
  #waitingFor = 'the service to start';

  private constructor(params: DemoParams, place: Place) {
    this.#say = params.say;
    this.#place = place;
    this.#log = createWriteStream(path.join(place.base, 'service.log'), { flags: 'a', mode: 0o600 });
    this.#supervisor = this.#newSupervisor();
  }

  static async create(params: DemoParams): Promise<Demo> {
    if (process.getuid?.() !== 0) {
      const hint = 'mounting needs it; run it as root';
      throw new ReelError('forbidden', { expected: 'root', got: `user ${process.getuid?.() ?? '?'}`, hint });
    }
    const place = await preparePlace(params.keep);
    for (const note of place.notes) params.say(note);
    return new Demo(params, place);
  }

  get waitingFor(): string {
    return this.#supervisor.waitingFor ?? this.#waitingFor;
  }

  /** Service up, volume open, stream known. */
  async start(): Promise<void> {
    const started = await this.#startService();
    this.#url = started.url;
    this.#certificateFile = started.certificateFile;
    this.#api = await DemoApi.connect(started);
    this.#waitingFor = 'the volume to open';
    this.#say(`service   ${started.url}/api/v1/health   (log: ${path.join(this.#place.base, 'service.log')})`);
    this.#say(`login     ${started.user} / ${started.password ?? ''}`);
    const opening = this.#openVolume(this.#api);
    this.#opening = opening;
    this.#volume = await opening;
    const { engine, type, cipher, container } = this.#volume;
    this.#say(
      `volume    ${container} (${type}, ${cipher}, ${engine} engine), mounted at ${this.#volume.mountPoint ?? '?'}`,
    );
    await this.#api.call('PUT', `/streams/${stream}`, { volume: volumeName, segmentMs: 2000, evidence: true });
    this.#startedAt = Math.floor(Date.now() / 1000);
  }

  /** Publishes `seconds` of media and waits until all of it is durable. */
  async recordOnce(seconds: number): Promise<DemoResult> {
    this.#waitingFor = `${seconds} s of stream`;
    this.#say(`recording ${seconds} s of ${this.#url}/${stream}/index.m3u8`);
    await this.#publish(seconds);
    await this.#publisher?.finished();
    await this.#sessionEnd();
    return this.#result();
  }

  /** Publishes until `stop()`. A publisher that fails is started again, as a camera would do it. */
  async recordOn(): Promise<void> {
    const from = this.#startedAt;
    this.#say(`live      ${this.#url}/${stream}/index.m3u8`);
    this.#say(`archive   ${this.#url}/${stream}/archive-${from}-3600.m3u8`);
    this.#say(`play      ffplay -ca_file ${this.#certificateFile} ${this.#url}/${stream}/index.m3u8`);
    this.#say('Ctrl-C ends it.');
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await this.#publish();
        await this.#publisher?.finished();
      } catch (error) {
        if (!signal.aborted) this.#say(`publisher: ${(error as Error).message}; again in 1 s`);
      }
      await sleep(1000, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Takes everything back, whatever was reached, and proves it: throws `volume-busy` naming what is left. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#waitingFor = 'the publisher to end';
    await this.#publisher?.stop();
    this.#waitingFor = 'the volume to be locked';
    await this.#lock();
    await this.#supervisor.stop();
    await new Promise((resolve) => this.#log.end(resolve));
    const { base, settings } = this.#place;
    const uuid = this.#volume?.uuid;
    const left = await findLeftovers([base, settings.runtime], typeof uuid === 'string' ? [uuid] : []);
    if (left.length > 0) {
      const hint = `look at ${path.join(base, 'service.log')}`;
      throw new ReelError('volume-busy', {
        expected: 'nothing left behind',
        got: left.join('; '),
        hint,
        details: { left },
      });
    }
    await this.#place.remove();
    this.#say('checked: nothing is mounted, mapped, attached to a loop device, or running any more');
  }

  /** Ends the service's processes at once. The volume stays as it is. */
  kill(): Promise<void> {
    return this.#supervisor.kill();
  }

  get base(): string {
    return this.#place.base;
  }

  #newSupervisor(): Supervisor {
    return new Supervisor({
      settings: this.#place.settings,
      log: this.#log,
      onEvent: (event) => {
        if (event.event !== 'started') this.#say(`${event.part}: ${event.how}; again in ${event.againInMs} ms`);
      },
    });
  }

  /** Between the look for a free port and the listening somebody else may take it; then another is tried. */
  async #startService(attempts = 3): Promise<Started> {
    try {
      return await this.#supervisor.start();
    } catch (error) {
      const taken = error instanceof ReelError && error.details.errno === 'EADDRINUSE';
      if (!taken || attempts === 1 || this.#stopped.signal.aborted) throw error;
      this.#place = await onFreePort(this.#place);
      this.#supervisor = this.#newSupervisor();
      return this.#startService(attempts - 1);
    }
  }

  async #publish(seconds?: number): Promise<void> {
    const { path: target } = await this.#client.call<{ path: string }>('POST', `/streams/${stream}/tickets`);
    // Whoever stops the demo ends the publisher it knows: none may be started behind its back.
    if (this.#stopped.signal.aborted) return;
    const url = `${this.#url}${target}`;
    const certificateFile = this.#certificateFile;
    this.#publisher = new Publisher({ url, certificateFile, ...(seconds === undefined ? {} : { seconds }) });
  }

  /** Makes the volume, or opens the one that a former demo left in the same directory. */
  async #openVolume(api: DemoApi): Promise<VolumeView> {
    const { volumes } = await api.call<{ volumes: VolumeView[] }>('GET', '/volumes');
    if (volumes.some((volume) => volume.name === volumeName && volume.state !== 'absent')) {
      this.#say('opening the volume that a former demo left here');
      return api.call('POST', `/volumes/${volumeName}/open`);
    }
    return api.call('PUT', `/volumes/${volumeName}?size=${volumeBytes}`);
  }

  /** Polled: a publisher has no other way to learn that its session is over. */
  async #sessionEnd(): Promise<void> {
    for (;;) {
      const view = await this.#client.call<StreamView>('GET', `/streams/${stream}`);
      if (view.failure !== null) {
        throw new ReelError('recording-stopped', { expected: 'the whole stream', got: JSON.stringify(view.failure) });
      }
      if (!view.recording) return;
      await sleep(100);
    }
  }

  async #result(): Promise<DemoResult> {
    const volume = this.#volume as VolumeView;
    const { reels, records } = await readReels(volume.mountPoint ?? '', stream);
    const mine = records.filter((record) => record.startUs >= this.#startedAt * 1e6);
    const end = Math.max(
      this.#startedAt + 1,
      ...mine.map((record) => Math.ceil(record.startUs / 1e6 + record.seconds)),
    );
    const playlist = `/${stream}/archive-${this.#startedAt}-${end - this.#startedAt}.m3u8`;
    await writeFile(path.join(this.#place.base, 'archive.m3u8'), await this.#client.text(playlist));
    const { container, uuid, type, cipher, engine, keyFile } = volume;
    return {
      volume: { container, uuid, type, cipher, engine, keyFile },
      stream,
      seconds: Number(mine.reduce((sum, record) => sum + record.seconds, 0).toFixed(3)),
      segments: mine.length,
      bytes: mine.reduce((sum, record) => sum + record.length, 0),
      playlist: `${this.#url}${playlist}`,
      reels,
    };
  }

  /** Every volume of the demo, also one that a start was just making. Where the daemon is gone the helper is asked itself. */
  async #lock(): Promise<void> {
    if (this.#api === undefined) return;
    // A volume that is just being made is in no list yet; locking before it is there would leave it open.
    await this.#opening.catch(() => undefined);
    try {
      const { volumes } = await this.#api.call<{ volumes: VolumeView[] }>('GET', '/volumes');
      for (const { name } of volumes) await this.#api.call('POST', `/volumes/${name}/lock?drain=true`);
    } catch (error) {
      if (!(error instanceof ReelError) || error.code !== 'not-running') throw error;
      const helper = new HelperClient({ socketPath: path.join(this.#place.settings.runtime, 'helper.sock') });
      await helper.call({ verb: 'lock', name: volumeName });
    }
  }

  get #client(): DemoApi {
    if (this.#api !== undefined) return this.#api;
    throw new ReelError('not-running', { expected: 'a started demo', got: 'one that is not' });
  }
}
