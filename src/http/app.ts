/** The HTTP application, made of its areas. It opens no port: `listeners.ts` feeds it, and tests use `inject()`. */
import { randomUUID } from 'node:crypto';
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyPluginAsync, LogController } from 'fastify';
import type { BasicAuth } from '../auth/basic.ts';
import type { AccessControl } from '../auth/rules/control.ts';
import type { TicketOffice } from '../auth/tickets.ts';
import { guard } from './access.ts';
import type { Access } from './access-kinds.ts';
import { accessRulesRoutes } from './access-rules.ts';
import { type ArchiveCatalogPart, archiveCatalogRoutes } from './archive-catalog.ts';
import { type ArchiveCheckPart, archiveCheckRoutes } from './archive-check.ts';
import { archiveEpisodeRoutes, type EpisodesPart } from './archive-episodes.ts';
import { archiveRetentionRoutes, type RetentionPart } from './archive-retention.ts';
import { type AuditPart, auditRequests, auditRoutes, auditSignIns } from './audit.ts';
import { limitBodyTime } from './body-deadline.ts';
import { type ConfigPart, configRoutes } from './config.ts';
import { errorSchema, handleErrors, limitUrls, refuseBadUrl } from './error-handler.ts';
import { type EventsPart, eventRoutes } from './events.ts';
import { type EvidenceKeysPart, evidenceKeyRoutes } from './evidence-keys.ts';
import { healthRoutes, type PartsHealth } from './health.ts';
import { type MetricsPart, metricsRoutes } from './metrics.ts';
import { RouteTable } from './route-table.ts';
import { type StreamsPart, streamRoutes } from './streams.ts';
import { type VolumeDestroyPart, volumeDestroyRoutes } from './volume-destroy.ts';
import { type VolumeGrowPart, volumeGrowRoutes } from './volume-grow.ts';
import { type VolumeHeadersPart, volumeHeaderRoutes } from './volume-headers.ts';
import { type VolumeKeysPart, volumeKeyRoutes } from './volume-keys.ts';
import { type VolumeLeasesPart, volumeLeaseRoutes } from './volume-leases.ts';
import { type VolumeLockPart, volumeLockRoutes } from './volume-lock.ts';
import { type ReencryptPart, volumeReencryptRoutes } from './volume-reencrypt.ts';
import { type VolumeUnlockPart, volumeUnlockRoutes } from './volume-unlock.ts';
import { type VolumesPart, volumeRoutes, volumeSchema } from './volumes.ts';
import { type WebhookPart, webhookRoutes } from './webhook.ts';

export interface AppParams {
  readonly logger: FastifyBaseLogger;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly auth: BasicAuth;
  readonly tickets: TicketOffice;
  /** The admin's own rules of access. */
  readonly control: AccessControl;
  readonly volumes: VolumesPart;
  readonly closing: VolumeLockPart;
  readonly leases: VolumeLeasesPart;
  readonly volumeHeaders: VolumeHeadersPart;
  readonly volumeDestroy: VolumeDestroyPart;
  readonly keys: VolumeKeysPart;
  readonly unlock: VolumeUnlockPart;
  readonly growth: VolumeGrowPart;
  readonly reencryption: ReencryptPart;
  readonly archiveCheck: ArchiveCheckPart;
  readonly archiveCatalog: ArchiveCatalogPart;
  readonly evidenceKeys: EvidenceKeysPart;
  readonly streams: StreamsPart;
  readonly retention: RetentionPart;
  readonly episodes: EpisodesPart;
  readonly events: EventsPart;
  readonly webhook: WebhookPart;
  readonly audit: AuditPart;
  readonly config: ConfigPart;
  readonly health: PartsHealth;
  readonly metrics: MetricsPart;
  readonly ingest: FastifyPluginAsync;
  readonly playback: FastifyPluginAsync;
  /** Requests that came through the admin socket. */
  readonly local: WeakSet<object>;
}

export const apiPrefix = '/api/v1';

const openapi = {
  openapi: '3.1.0',
  info: { title: 'reelvault', description: 'Encrypted DVR storage', version: '1' },
  components: { securitySchemes: { admin: { type: 'http', scheme: 'basic' } } },
  security: [{ admin: [] }],
} as const;

const routerOptions = { maxParamLength: 200 };

/** Gives every route of a plugin that knows nothing of access rules this rule. */
const withAccess =
  (access: Access, plugin: FastifyPluginAsync): FastifyPluginAsync =>
  async (scope, options) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, access };
    });
    await plugin(scope, options);
  };

export const buildApp = async (params: AppParams): Promise<FastifyInstance> => {
  const app = Fastify({
    loggerInstance: params.logger,
    // Our own line below: fastify's carries the whole URL, and a publish ticket stands in its query.
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: refuseBadUrl,
    requestIdHeader: false,
    genReqId: () => randomUUID(),
    routerOptions,
    ajv: { customOptions: { verbose: true, coerceTypes: true, removeAdditional: false, useDefaults: true } },
  }).withTypeProvider<TypeBoxTypeProvider>();

  handleErrors(app);
  limitUrls(app);
  app.addSchema(errorSchema);
  const access = { control: params.control, routes: new RouteTable(app, routerOptions) };
  guard(app, {
    auth: params.auth,
    tickets: params.tickets,
    control: params.control,
    isLocal: (request) => params.local.has(request.raw),
    listenerOf: ({ socket }) => ({ name: 'default', port: socket.localPort ?? 0 }),
  });
  limitBodyTime(app);
  auditSignIns(app, params.audit, params.now);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff');
  });
  app.addHook('onResponse', async (request, reply) => {
    const facts = {
      method: request.method,
      path: request.url.split('?', 1)[0],
      status: reply.statusCode,
      caller: request.caller.kind,
    };
    request.log.debug({ ...facts, ms: Math.round(reply.elapsedTime) }, 'request');
  });

  await app.register(swagger, {
    openapi: openapi as never,
    refResolver: { buildLocalReference: (json) => String(json.$id) },
  });
  const api: FastifyPluginAsync = async (scope) => {
    scope.addHook('onRequest', async (_request, reply) => {
      reply.header('cache-control', 'no-store');
    });
    // What several areas answer with.
    scope.addSchema(volumeSchema);
    auditRequests(scope, params.audit);
    await scope.register(volumeRoutes, { volumes: params.volumes });
    await scope.register(volumeLockRoutes, { closing: params.closing });
    await scope.register(volumeLeaseRoutes, { leases: params.leases });
    await scope.register(volumeKeyRoutes, { keys: params.keys });
    await scope.register(volumeUnlockRoutes, { unlock: params.unlock });
    await scope.register(volumeGrowRoutes, { growth: params.growth });
    await scope.register(volumeHeaderRoutes, { headers: params.volumeHeaders });
    await scope.register(volumeDestroyRoutes, { destroyer: params.volumeDestroy });
    await scope.register(volumeReencryptRoutes, { reencryption: params.reencryption });
    await scope.register(archiveCheckRoutes, { check: params.archiveCheck });
    await scope.register(archiveCatalogRoutes, { catalog: params.archiveCatalog });
    await scope.register(evidenceKeyRoutes, { keys: params.evidenceKeys });
    await scope.register(streamRoutes, { streams: params.streams, tickets: params.tickets });
    await scope.register(archiveRetentionRoutes, { retention: params.retention });
    await scope.register(archiveEpisodeRoutes, { episodes: params.episodes });
    await scope.register(configRoutes, { config: params.config, peerOf: params.audit.peerOf });
    await scope.register(accessRulesRoutes, { access });
    await scope.register(auditRoutes, { audit: params.audit });
    await scope.register(eventRoutes, { events: params.events });
    await scope.register(webhookRoutes, { webhook: params.webhook });
    await scope.register(healthRoutes, { health: params.health });
  };
  await app.register(api, { prefix: apiPrefix });
  await app.register(metricsRoutes, { metrics: params.metrics });
  await app.register(withAccess('publish', params.ingest));
  await app.register(withAccess('open', params.playback));
  await app.ready();
  params.control.know(access.routes.commands());
  return app;
};
