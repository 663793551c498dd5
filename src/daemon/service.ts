/** The daemon: its parts, put together in one order and taken apart in the other. */
import os from 'node:os';
import path from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { ArchiveChecker } from '../archive/check/checker.ts';
import { EvidenceKeys } from '../archive/evidence/key-store.ts';
import { AuditTrail } from '../audit/trail.ts';
import { loadAdmin } from '../auth/admin-store.ts';
import { BasicAuth } from '../auth/basic.ts';
import { AccessControl } from '../auth/rules/control.ts';
import { TicketOffice } from '../auth/tickets.ts';
import { accessRulesOf } from '../config/sections.ts';
import type { ConfigStore } from '../config/store.ts';
import { EventBus } from '../events/bus.ts';
import type { WebhookFiles } from '../events/webhook/files.ts';
import type { Webhook } from '../events/webhook/webhook.ts';
import { HelperClient } from '../helper/client.ts';
import { buildApp } from '../http/app.ts';
import { Listeners } from '../http/listeners.ts';
import type { VolumesPart } from '../http/volumes.ts';
import { ingestPlugin } from '../ingest/plugin.ts';
import { playbackPlugin } from '../playback/plugin.ts';
import type { Recorder } from '../recorder/recorder.ts';
import { loadCertificate } from '../tls/store.ts';
import { AutoOpen } from '../volume/manager/auto-open.ts';
import { VolumeBindings } from '../volume/manager/bindings.ts';
import { VolumeDestroyer } from '../volume/manager/destroyer.ts';
import { VolumeGrowth } from '../volume/manager/growth.ts';
import { VolumeHeaders } from '../volume/manager/headers.ts';
import { VolumeKeys } from '../volume/manager/keys.ts';
import { VolumeLeases } from '../volume/manager/leases.ts';
import { VolumeManager } from '../volume/manager/manager.ts';
import { VolumeReencryption } from '../volume/manager/reencryption.ts';
import { AliveFile } from './alive-file.ts';
import { archiveCatalogPart, archiveCheckPart, evidenceKeysPart } from './archive-part.ts';
import { beginAudit, peerOfRequest } from './audit-part.ts';
import { ClockWatch } from './clock-watch.ts';
import { closingPart } from './closing-part.ts';
import { configPart, takeChanges, tellConfig, tunedLimits } from './config-part.ts';
import { clockEvents, streamEvents, volumeEvents } from './event-sources.ts';
import { metricsPart } from './metrics-part.ts';
import { partsHealth } from './parts-health.ts';
import { makeRecorder, recorderHooks } from './recorder-part.ts';
import { type RetentionParts, retentionParts } from './retention-part.ts';
import { streamsPart } from './streams-part.ts';
import { unlockPart } from './unlock-part.ts';
import { UnsignedEvidence } from './unsigned-part.ts';
import { makeWebhook, webhookPart } from './webhook-part.ts';

export interface ServiceParams {
  /** Open and not started; taken over. */
  readonly config: ConfigStore;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly confinement: Readonly<Record<string, unknown>> | undefined;
  /** Where events are posted; taken over. */
  readonly webhook: WebhookFiles | undefined;
}

export interface Ready {
  readonly url: string;
  readonly certificateFile: string;
  readonly fingerprint: string;
}

const liveSegments = 6;

export class Service {
  readonly #params: ServiceParams;
  readonly #helper: HelperClient;
  readonly #volumes: VolumeManager;
  readonly #growth: VolumeGrowth;
  readonly #recorder: Recorder;
  readonly #reencryption: VolumeReencryption;
  readonly #retention: RetentionParts;
  readonly #events: EventBus;
  readonly #audit: AuditTrail;
  readonly #webhook: Webhook | undefined;
  readonly #autoOpen: AutoOpen;
  readonly #evidenceKeys: EvidenceKeys;
  readonly #unsigned: UnsignedEvidence;
  readonly #checker: ArchiveChecker;
  readonly #clock: ClockWatch;
  readonly #alive: AliveFile;
  #access: AccessControl | undefined;
  #app: FastifyInstance | undefined;
  #listeners: Listeners | undefined;
  #closing: Promise<void> | undefined;

  constructor(params: ServiceParams) {
    this.#params = params;
    const { config, log } = params;
    const { settings } = config;
    this.#clock = new ClockWatch({
      wall: params.now,
      elapsed: () => performance.now(),
      ...clockEvents({ recorder: () => this.#recorder, events: () => this.#events, log }),
    });
    const { now } = this.#clock;
    this.#alive = new AliveFile({ path: path.join(settings.state, 'alive'), now });
    this.#events = new EventBus({ now, log });
    this.#webhook = makeWebhook(settings, params.webhook, { bus: this.#events, now, log });
    this.#audit = new AuditTrail({ directory: settings.state, now });
    this.#helper = new HelperClient({ socketPath: path.join(settings.runtime, 'helper.sock') });
    const limits = tunedLimits(config, (name) => this.#retention.rate(name));
    this.#volumes = new VolumeManager({
      stateDirectory: settings.state,
      helper: this.#helper,
      log,
      now,
      limits,
      hangMs: () => config.current.tuning.hang_ms,
    });
    this.#autoOpen = new AutoOpen({ manager: this.#volumes, log, now });
    this.#growth = new VolumeGrowth({ manager: this.#volumes, log });
    this.#reencryption = new VolumeReencryption({ manager: this.#volumes, log });
    this.#evidenceKeys = new EvidenceKeys({ state: settings.state, now });
    this.#checker = new ArchiveChecker({
      now,
      publicKeys: () => this.#evidenceKeys.list().map(({ publicKey }) => publicKey),
    });
    this.#unsigned = new UnsignedEvidence({ recorder: () => this.#recorder, events: this.#events, log });
    this.#recorder = makeRecorder({ settings, config, keys: this.#evidenceKeys, unsigned: this.#unsigned, log, now });
    this.#retention = retentionParts({
      episodesUrl: () => config.current.tuning.episodes_url,
      ...{ limits, volumes: this.#volumes },
      recorder: this.#recorder,
      events: this.#events,
      log,
      now,
    });
  }

  /** Adopts the volumes that are open, recovers what a former daemon was writing, then listens. After a failure call `close()`. */
  async start(): Promise<Ready> {
    const { config, log } = this.#params;
    const { settings } = config;
    const { now } = this.#clock;
    const account = await loadAdmin(settings.state);
    const auth = new BasicAuth({ account, now });
    const tickets = new TicketOffice({ now });
    this.#access = new AccessControl({
      rules: accessRulesOf(config.current),
      files: path.join(settings.state, 'auth'),
      ...{ account, tickets, now, log },
    });
    const certificate = await loadCertificate({ state: settings.state, hostname: os.hostname(), now });
    if (certificate.made) log.info({ fingerprint: certificate.fingerprint }, 'made a new certificate');
    // Without the key recordings go on; reels are signed once it is there again.
    await this.#evidenceKeys.start().catch((err: unknown) => log.error({ err }, 'no key for evidence'));
    await this.#recorder.start();
    this.#clock.start();
    const ranUntil = await this.#alive.start();
    if (ranUntil !== undefined) this.#recorder.noteTrouble('stopped', ranUntil, now());
    await beginAudit(this.#audit, this.#events, log);
    this.#webhook?.start();
    streamEvents(this.#recorder, this.#events);
    const metrics = metricsPart({
      volumes: this.#volumes,
      recorder: this.#recorder,
      audit: this.#audit,
      events: this.#events,
      webhook: this.#webhook,
      config,
      retention: this.#retention.service,
      unsigned: this.#unsigned,
      clock: this.#clock,
    });
    this.#volumes.use(volumeEvents(this.#events));
    const leases = new VolumeLeases({ manager: this.#volumes, helper: this.#helper, log, now });
    this.#volumes.use(leases.hooks());
    this.#volumes.use(this.#retention.letGo);
    this.#volumes.use(recorderHooks(this.#recorder));
    this.#volumes.use(this.#retention.takeUp);
    // After the recorder, which may refuse the lock: the check goes on then.
    this.#volumes.use({
      beforeLock: (name) => this.#checker.stop(name),
      onLost: (name) => this.#checker.stop(name),
    });
    this.#volumes.use(this.#growth.hooks);
    this.#volumes.use(this.#reencryption.hooks);
    this.#volumes.use(this.#autoOpen.hooks);
    await this.#volumes.start();
    const destroyer = new VolumeDestroyer({ manager: this.#volumes, log });
    await destroyer.finishInterrupted();
    this.#retention.service.start();
    this.#reencryption.start();
    this.#autoOpen.start();
    const local = new WeakSet<object>();
    this.#app = await buildApp({
      logger: log,
      now,
      auth,
      tickets,
      control: this.#access,
      volumes: this.#volumesPart(),
      closing: closingPart(this.#volumes, this.#helper),
      leases,
      volumeHeaders: new VolumeHeaders({ manager: this.#volumes }),
      volumeDestroy: destroyer,
      unlock: unlockPart(this.#autoOpen, new VolumeBindings({ manager: this.#volumes, helper: this.#helper })),
      keys: new VolumeKeys({ manager: this.#volumes }),
      reencryption: this.#reencryption,
      streams: streamsPart({
        recorder: this.#recorder,
        volumes: () => this.#volumes.list().map(({ name }) => name),
      }),
      retention: this.#retention.retention,
      episodes: this.#retention.episodes,
      growth: this.#growth,
      archiveCatalog: archiveCatalogPart(this.#recorder),
      archiveCheck: archiveCheckPart(this.#checker, this.#recorder),
      evidenceKeys: evidenceKeysPart(this.#evidenceKeys),
      events: { bus: this.#events },
      webhook: webhookPart(this.#webhook),
      config: configPart(config),
      audit: { trail: this.#audit, peerOf: peerOfRequest },
      health: partsHealth({
        ...{ helper: this.#helper, volumes: this.#volumes, recorder: this.#recorder, webhook: this.#webhook, config },
        retention: this.#retention.service,
        confinement: this.#params.confinement,
      }),
      metrics,
      ingest: ingestPlugin({ recorder: this.#recorder, idleMs: settings.ingestIdleMs }),
      playback: playbackPlugin({
        source: this.#recorder.recorded,
        liveSegments,
        liveLingerMs: 3 * settings.segmentMs,
        now,
      }),
      local,
    });
    this.#listeners = new Listeners({
      app: this.#app,
      certificate,
      host: settings.listenHost,
      port: settings.listenPort,
      adminSocket: path.join(settings.runtime, 'admin.sock'),
      local,
    });
    await this.#listeners.start();
    const host = settings.listenHost.includes(':') ? `[${settings.listenHost}]` : settings.listenHost;
    const { certificateFile, fingerprint } = certificate;
    this.#events.publish({ type: 'service.started', facts: { pid: process.pid } });
    const loggers = [log, this.#app.log];
    takeChanges(config, { listeners: this.#listeners, access: this.#access, webhook: this.#webhook, loggers });
    config.start(tellConfig(this.#events, log, config.file));
    return { url: `https://${host}:${this.#listeners.port}`, certificateFile, fingerprint };
  }

  /**
   * No new connections; every session ends with all of it durable and its publisher is told; then the rest. Volumes stay open and mounted.
   * Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#events.publish({ type: 'service.stopping', facts: { pid: process.pid } });
    await this.#params.config.close();
    const tried = this.#autoOpen.close();
    const listenersClosed = this.#listeners?.close();
    // Before the bus: what was deleted is told.
    await this.#retention.service.close();
    await this.#checker.close();
    await this.#recorder.close();
    // After the last sessions, whose ends are told; before the listeners, which wait for the streams of events.
    this.#events.close();
    const posted = this.#webhook?.close();
    await listenersClosed;
    await this.#app?.close();
    this.#access?.close();
    await this.#growth.close();
    await this.#reencryption.close();
    await tried;
    await this.#volumes.close();
    await this.#audit.close();
    await posted;
    this.#clock.close();
    await this.#alive.close();
  }

  #volumesPart(): VolumesPart {
    const volumes = this.#volumes;
    return {
      list: async () => volumes.list(),
      get: async (name) => volumes.get(name),
      create: (name, options, passphrase) =>
        volumes.create({ name, ...options, ...(passphrase === undefined ? {} : { passphrase }) }),
      open: (name, options, passphrase) => volumes.open(name, passphrase, options),
    };
  }
}
