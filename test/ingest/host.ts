/** The real recorder, writer, ingest and playback on a temporary directory and a port of their own. */
import { constants, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { EvidenceKeys } from '../../src/archive/evidence/key-store.ts';
import { EvidenceSigner, type SignerParams, type Unsigned } from '../../src/archive/evidence/signer.ts';
import { reelPath } from '../../src/archive/reel.ts';
import { Jail } from '../../src/datapath/jail.ts';
import { ReelError, toReelError } from '../../src/errors.ts';
import { ingestPlugin } from '../../src/ingest/plugin.ts';
import { forPublishers } from '../../src/ingest/publisher-server.ts';
import { playbackPlugin } from '../../src/playback/plugin.ts';
import { Recorder } from '../../src/recorder/recorder.ts';
import { makeCertificate } from '../../src/tls/certificate.ts';

export interface HostOptions {
  readonly tls?: boolean;
  readonly idleMs?: number;
  readonly segmentMs?: number;
  readonly liveLingerMs?: number;
  readonly liveSegments?: number;
  /** A directory that stays; without it one is made and removed. */
  readonly directory?: string;
  readonly backend?: 'auto' | 'io_uring' | 'pwrite';
  readonly stagingBytes?: number;
  readonly standbyBytes?: number;
  readonly now?: () => number;
  readonly elapsed?: () => number;
  readonly holdBackMs?: number;
  /** In the place of what signs with the host's own keys and must not fail. */
  readonly signing?: Partial<SignerParams>;
}

export const uuid = '6d1f0f5e-8f3c-4c0e-9b5f-0a4a53c6b3c1';

const makeApp = async (options: HostOptions): Promise<FastifyInstance> => {
  const routerOptions = { maxParamLength: 200 };
  if (options.tls !== true) return Fastify({ routerOptions });
  const { key, certificate } = await makeCertificate('localhost', Date.now());
  return Fastify({
    routerOptions,
    serverFactory: (handler) => https.createServer({ key, cert: certificate }, handler),
  });
};

export class Host {
  readonly directory: string;
  readonly recorder: Recorder;
  readonly keys: EvidenceKeys;
  readonly app: FastifyInstance;
  readonly jail: Jail;
  readonly #remove: boolean;
  readonly #scheme: string;

  private constructor(params: {
    directory: string;
    recorder: Recorder;
    keys: EvidenceKeys;
    app: FastifyInstance;
    jail: Jail;
    options: HostOptions;
  }) {
    this.directory = params.directory;
    this.recorder = params.recorder;
    this.keys = params.keys;
    this.app = params.app;
    this.jail = params.jail;
    this.#remove = params.options.directory === undefined;
    this.#scheme = params.options.tls === true ? 'https' : 'http';
  }

  static async start(options: HostOptions = {}): Promise<Host> {
    const directory = options.directory ?? mkdtempSync(path.join(os.tmpdir(), 'reelvault-host-'));
    const volume = path.join(directory, 'volume');
    mkdirSync(volume, { recursive: true });
    const now = options.now ?? Date.now;
    const keys = new EvidenceKeys({ state: directory, now });
    await keys.start();
    const onFailure = ({ stream, error }: Unsigned): void => {
      throw new Error(`${stream} could not be signed`, { cause: error });
    };
    const recorder = new Recorder({
      signer: new EvidenceSigner({
        ...{ key: () => keys.signing, publicKeys: () => keys.list().map(({ publicKey }) => publicKey) },
        ...{ now, onFailure, ...options.signing },
      }),
      registry: path.join(directory, 'streams.json'),
      defaults: { volume: 'main', segmentMs: options.segmentMs ?? 1000, evidence: false },
      writer: {
        backend: options.backend ?? 'auto',
        stagingBytes: options.stagingBytes ?? 32 * 1024 * 1024,
        commitIntervalMs: 100,
      },
      standbyBytes: options.standbyBytes ?? 16 * 1024 * 1024,
      log: pino({ level: 'silent' }),
      now,
      ...(options.elapsed === undefined ? {} : { elapsed: options.elapsed }),
      ...(options.holdBackMs === undefined ? {} : { holdBackMs: options.holdBackMs }),
    });
    await recorder.start();
    const jail = new Jail({ fd: openSync(volume, constants.O_RDONLY | constants.O_DIRECTORY), label: 'volume main' });
    await recorder.attachVolume({ name: 'main', uuid, jail });
    const app = await makeApp(options);
    app.setErrorHandler((thrown, _request, reply) => {
      const { statusCode } = thrown as { statusCode?: number };
      const error = toReelError(thrown);
      return reply
        .code(thrown instanceof ReelError ? error.row.http : (statusCode ?? 500))
        .send({ error: error.toJSON() });
    });
    await app.register(ingestPlugin({ recorder, idleMs: options.idleMs ?? 10_000 }));
    const { liveSegments = 6, liveLingerMs = 10_000 } = options;
    await app.register(playbackPlugin({ source: recorder.recorded, liveSegments, liveLingerMs, now }));
    forPublishers(app.server);
    await app.listen({ host: '127.0.0.1', port: 0 });
    return new Host({ directory, recorder, keys, app, jail, options });
  }

  attach(): ReturnType<Recorder['attachVolume']> {
    return this.recorder.attachVolume({ name: 'main', uuid, jail: this.jail });
  }

  get port(): number {
    return (this.app.server.address() as { port: number }).port;
  }

  url(at: string): string {
    return `${this.#scheme}://127.0.0.1:${this.port}${at}`;
  }

  /** All bytes of a stream on disk, reel after reel. */
  recorded(stream: string): Buffer {
    const archive = this.recorder.archive(stream);
    return Buffer.concat(
      archive
        .hours(stream, 0, Number.MAX_SAFE_INTEGER)
        .map((hour) => readFileSync(path.join(this.directory, 'volume', reelPath(stream, hour)))),
    );
  }

  async stop(): Promise<void> {
    await this.recorder.close();
    await this.app.close();
    await this.jail.close();
    if (this.#remove) rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Waits until `holds` is true; fails the test after 20 s. */
export const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Expected ${what} within 20 s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
