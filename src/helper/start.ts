import path from 'node:path';
import type { Logger } from 'pino';
import { defaultSettings } from '../config/settings.ts';
import { Luks } from '../luks/luks.ts';
import type { VolumeContext } from '../volume/context.ts';
import { KernelEngine } from '../volume/engine/kernel-engine.ts';
import { udevEnvironment } from '../volume/engine/udev-environment.ts';
import { UserspaceEngine } from '../volume/engine/userspace-engine.ts';
import type { Owner } from '../volume/identity.ts';
import { Layout } from '../volume/layout.ts';
import { ProgressBoard } from '../volume/progress.ts';
import type { Unattended } from '../volume/unlock/way.ts';
import { BlockPlanes } from '../volume/watch/block-planes.ts';
import { HostLooks } from '../volume/watch/host-facts.ts';
import { RoomLooks } from '../volume/watch/room-looks.ts';
import { WriteStops } from '../volume/watch/write-stops.ts';
import { HelperServer } from './server.ts';

export interface HelperParams {
  readonly datapath: readonly string[];
  readonly runtime: string;
  readonly headerCopies?: string;
  /** User beside root who may own directories above the datapath. */
  readonly datapathOwner?: number;
  /** Block devices that may be containers. */
  readonly devices?: readonly string[];
  readonly service: Owner;
  readonly log: Logger;
  readonly frameTimeoutMs?: number;
  readonly unattended?: Unattended;
  /** How long a block plane may let requests wait before it is cut off; how often it is looked at and asked. Milliseconds. */
  readonly watch?: { readonly hangMs: number; readonly lookMs?: number; readonly askMs?: number };
  /** What only a process of the tests sets: a quick key derivation, a crash after a step. */
  readonly seams?: Pick<VolumeContext, 'pbkdf' | 'afterStep'>;
}

const program = path.resolve(import.meta.dirname, '../../build/Release/luksblock');

export const helperSocket = (runtime: string): string => path.join(runtime, 'helper.sock');

/** Puts the helper together and starts it. Whoever called closes it. */
export const startHelper = async ({
  datapath,
  runtime,
  headerCopies = '',
  datapathOwner = 0,
  devices = [],
  service,
  log,
  frameTimeoutMs,
  unattended = {},
  watch = { hangMs: defaultSettings.hangMs },
  seams = {},
}: HelperParams): Promise<HelperServer> => {
  const layout = await Layout.open({ datapath, datapathOwner, runtime, headerCopies, devices });
  const luks = new Luks({ env: udevEnvironment() });
  const engines = {
    kernel: new KernelEngine({ luks }),
    userspace: new UserspaceEngine({ program, blocks: layout.blocks, luks }),
  };
  const planes = new BlockPlanes({ blocks: layout.blocks, log, ...watch });
  const context: VolumeContext = {
    layout,
    engines,
    luks,
    service,
    unattended,
    progress: new ProgressBoard(),
    watch: { planes, hosts: new HostLooks(), rooms: new RoomLooks(), stops: new WriteStops() },
    ...seams,
  };
  const timeout = frameTimeoutMs === undefined ? {} : { frameTimeoutMs };
  const server = new HelperServer({ socketPath: helperSocket(runtime), context, log, ...timeout });
  await server.start();
  planes.start();
  return server;
};
