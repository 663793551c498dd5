/** Writes docs/openapi.json from the routes (`npm run openapi`), or prints it. A test proves the committed file fresh. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FastifyPluginAsync } from 'fastify';
import pino from 'pino';
import { BasicAuth } from '../auth/basic.ts';
import { hashPassword } from '../auth/password.ts';
import { AccessControl } from '../auth/rules/control.ts';
import { TicketOffice } from '../auth/tickets.ts';
import { ReelError } from '../errors.ts';
import { EventBus } from '../events/bus.ts';
import { buildApp } from './app.ts';

export const openapiFile = path.resolve(import.meta.dirname, '../../docs/openapi.json');

/** The document needs the routes only: nothing behind them is ever called. */
const absent = (): never => {
  throw new ReelError('not-running', { expected: 'a running service', got: 'the application that describes it' });
};
const noRoutes: FastifyPluginAsync = async () => undefined;

export const describeApi = async (): Promise<string> => {
  const now = (): number => 0;
  const account = { version: 1 as const, user: 'admin', password: await hashPassword('none') };
  const logger = pino({ level: 'silent' });
  const tickets = new TicketOffice({ now });
  const app = await buildApp({
    logger,
    now,
    auth: new BasicAuth({ account, now }),
    tickets,
    control: new AccessControl({ rules: {}, files: '/', account, tickets, now, log: logger }),
    volumes: { list: absent, get: absent, create: absent, open: absent },
    closing: { lock: absent, slam: absent, holders: absent },
    leases: { list: absent, add: absent, remove: absent },
    volumeHeaders: { list: absent, backUp: absent, compare: absent, check: absent, restore: absent, repair: absent },
    volumeDestroy: { destroy: absent },
    unlock: { status: absent, set: absent, tangKeys: absent, bind: absent, unbind: absent },
    keys: { list: absent, add: absent, change: absent, remove: absent, rotate: absent, recovery: absent },
    retention: { get: absent, change: absent, changeStream: absent, purge: absent, thin: absent },
    episodes: { list: absent, put: absent, remove: absent },
    growth: { grow: absent },
    archiveCatalog: { view: absent, rebuild: absent },
    archiveCheck: { start: absent, view: absent, stop: absent, recover: absent },
    evidenceKeys: { list: absent, rotate: absent },
    reencryption: { status: absent, begin: absent, resume: absent },
    streams: { list: absent, get: absent, put: absent, order: absent, schedule: absent, gaps: absent, delete: absent },
    audit: { trail: { record: absent, newest: absent, verify: absent }, peerOf: () => ({}) },
    events: { bus: new EventBus({ now, log: logger }) },
    webhook: { test: absent },
    config: {
      ...{ view: absent, change: absent, validate: absent, history: absent, diff: absent },
      ...{ rollback: absent, confirm: absent, cancel: absent },
    },
    health: absent,
    metrics: absent,
    ingest: noRoutes,
    playback: noRoutes,
    local: new WeakSet(),
  });
  try {
    return `${JSON.stringify(app.swagger(), null, 2)}\n`;
  } finally {
    await app.close();
  }
};

if (import.meta.main) {
  const text = await describeApi();
  if (process.argv.includes('--write')) await writeFile(openapiFile, text);
  else process.stdout.write(text);
}
