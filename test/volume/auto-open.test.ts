/** The daemon opens volumes at its start, tries again, and leaves alone what an admin locked. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { HelperClient } from '../../src/helper/client.ts';
import { helperSocket } from '../../src/helper/start.ts';
import { AutoOpen } from '../../src/volume/manager/auto-open.ts';
import { VolumeBindings } from '../../src/volume/manager/bindings.ts';
import type { VolumeEvent } from '../../src/volume/manager/hooks.ts';
import { VolumeManager } from '../../src/volume/manager/manager.ts';
import { type Helper, nothingLeft, Place, size } from '../helper/harness.ts';
import { Tang } from './tang.ts';

interface Daemon {
  readonly manager: VolumeManager;
  readonly autoOpen: AutoOpen;
  readonly bindings: VolumeBindings;
  readonly events: VolumeEvent[];
  close(): Promise<void>;
}

describe('auto-open', () => {
  let place: Place;
  let tang: Tang;
  let helper: Helper;
  let daemon: Daemon | undefined;
  const phrase = (): Buffer => Buffer.from('phrase');

  const start = async (): Promise<Daemon> => {
    const events: VolumeEvent[] = [];
    const log = pino({ level: 'silent' });
    const client = new HelperClient({ socketPath: helperSocket(place.runtime) });
    const stateDirectory = path.join(place.root, 'state');
    const manager = new VolumeManager({ stateDirectory, helper: client, log, now: Date.now, watchIntervalMs: 20 });
    const autoOpen = new AutoOpen({ manager, log, now: Date.now, lookMs: 20, retryMs: 50 });
    manager.use(autoOpen.hooks);
    manager.use({ onEvent: (event) => void events.push(event) });
    await manager.start();
    autoOpen.start();
    const close = async (): Promise<void> => {
      await autoOpen.close();
      await manager.close();
    };
    daemon = { manager, autoOpen, bindings: new VolumeBindings({ manager, helper: client }), events, close };
    return daemon;
  };
  const until = async (what: () => boolean): Promise<void> => {
    while (!what()) await sleep(5);
  };
  const has = ({ events }: Daemon, type: string): boolean => events.some((event) => event.type === type);

  before(async () => {
    place = await Place.make();
    await mkdir(path.join(place.root, 'state'));
    tang = new Tang(place.root);
    await tang.start();
    helper = await place.helper();
    const { manager, autoOpen, bindings, close } = await start();
    await manager.create({ name: 'v', size, engine: 'userspace', passphrase: phrase() });
    const { thumbprints } = await bindings.tangKeys(tang.url);
    await bindings.bind('v', { pin: 'tang', url: tang.url, thumbprint: thumbprints[0] ?? '' }, phrase());
    await manager.lock('v');
    // Locked by hand: to switch it on does not open it now.
    assert.equal((await autoOpen.set('v', true)).held, true);
    await sleep(100);
    assert.equal(manager.get('v').state, 'locked');
    await close();
  });
  after(async () => {
    await daemon?.close();
    await tang.stop();
    await place.destroy();
  });

  test('a start opens it by Tang; locked by hand it stays locked, and an open ends that', async () => {
    const own = await start();
    const { manager, autoOpen, events, close } = own;
    await until(() => has(own, 'volume.autoopen.opened'));
    assert.equal(manager.get('v').state, 'open');
    const told = events.find(({ type }) => type === 'volume.autoopen.opened');
    assert.deepEqual(told?.openedBy, { way: 'tang', slot: 1 });
    assert.deepEqual((await autoOpen.status('v')).last?.openedBy, { way: 'tang', slot: 1 });
    await manager.lock('v');
    assert.equal((await autoOpen.status('v')).held, true);
    await sleep(100);
    assert.equal(manager.get('v').state, 'locked');
    await manager.open('v', phrase());
    assert.equal((await autoOpen.status('v')).held, false);
    await manager.lock('v');
    await close();
  });

  test('a dead server: locked with the reason, tried again, and opened when it is back', async () => {
    await tang.stop();
    const own = await start();
    const { manager, autoOpen, events, close } = own;
    const failures = (): VolumeEvent[] => events.filter(({ type }) => type === 'volume.autoopen.failed');
    await until(() => failures().length >= 2);
    const attempts = failures()[0]?.attempts as { way: string; code: string }[];
    assert.deepEqual(
      attempts.map(({ way, code }) => `${way} ${code}`),
      ['keyFile not-found', 'credential not-found', 'tang command-failed'],
    );
    assert.ok((failures()[1]?.againInMs as number) > (failures()[0]?.againInMs as number));
    assert.equal((await autoOpen.status('v')).last?.error?.code, 'auto-open-failed');
    assert.deepEqual(await place.leftovers(), nothingLeft);
    await tang.start();
    await until(() => manager.get('v').state === 'open');
    assert.equal(manager.get('v').failure, null);
    await manager.lock('v');
    await close();
  });

  test('shown at the volume while it is locked, until it is switched off or locked by hand', async () => {
    await tang.stop();
    const own = await start();
    const { manager, autoOpen, events, close } = own;
    await until(() => manager.get('v').failure?.error.code === 'auto-open-failed');
    await manager.lock('v');
    const tries = events.length;
    assert.equal(manager.get('v').failure, null);
    await sleep(300);
    assert.equal(events.length, tries);
    assert.equal((await autoOpen.set('v', false)).retryAt, null);
    await close();
    await tang.start();
    const next = await start();
    await sleep(200);
    assert.equal(next.manager.get('v').state, 'locked');
    await next.autoOpen.set('v', true);
    await until(() => next.manager.get('v').state === 'open');
    await next.manager.lock('v');
    await next.close();
  });

  test('without a helper nothing is tried; once it is back, the volume is opened', async () => {
    await helper.stop();
    const own = await start();
    assert.equal(own.manager.get('v').failure?.error.code, 'helper-unavailable');
    helper = await place.helper();
    await until(() => own.manager.get('v').state === 'open');
    await own.manager.lock('v');
    await own.close();
    assert.deepEqual(await place.leftovers(), nothingLeft);
  });
});
