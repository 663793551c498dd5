/** The service with one encrypted volume on the userspace engine, as a recorder that streams can be published to. */
import http from 'node:http';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Service } from '../e2e/service.ts';
import { blockPlanesBeneath } from '../e2e/storage.ts';
import { treeOf } from './ingest-cpu.ts';
import { type Samples, samplesOf } from './ingest-lag.ts';

/** `plain`: HTTP over the admin socket. `tls`: the public listener, with a ticket each. */
export type Door = 'plain' | 'tls';

/** As shipped, but for the memory that so many streams need (docs/archive.md, "Memory"). */
const settings = {
  REELVAULT_SEGMENT_MS: '4000',
  REELVAULT_COMMIT_INTERVAL_MS: '1000',
  REELVAULT_STAGING_MIB: '512',
  REELVAULT_LOG: 'warn',
};

export class IngestGround {
  readonly service: Service;
  readonly mountPoint: string;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

  private constructor(service: Service, mountPoint: string) {
    this.service = service;
    this.mountPoint = mountPoint;
  }

  static async make(volumeSize: string): Promise<IngestGround> {
    const service = await Service.make(settings);
    try {
      return new IngestGround(service, await service.makeVolume(volumeSize));
    } catch (error) {
      await service.close();
      throw error;
    }
  }

  /** Where the load publishes the streams to. */
  async targets(door: Door, names: readonly string[]): Promise<string[]> {
    const socket = path.join(this.service.runtime, 'admin.sock');
    if (door === 'plain') return names.map((name) => `PUT unix:${socket} /ingest/${name}`);
    const { host } = new URL(this.service.url);
    return Promise.all(
      names.map(async (name) => {
        const { path: target } = JSON.parse(await this.#local('POST', `/api/v1/streams/${name}/tickets`));
        return `PUT tls:${host} ${target}`;
      }),
    );
  }

  async metrics(): Promise<Samples> {
    return samplesOf(await this.#local('GET', '/metrics'));
  }

  /** Supervisor, helper and daemon. */
  async processes(): Promise<number[]> {
    const plane = await this.blockPlane();
    return (await treeOf(this.service.pid)).filter((pid) => !plane.includes(pid));
  }

  /** luksblock: what every recorder into the volume makes work for. */
  blockPlane(): Promise<number[]> {
    return blockPlanesBeneath(this.service.folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    await this.service.close();
  }

  /** Through the admin socket. */
  async #local(method: string, target: string): Promise<string> {
    const socketPath = path.join(this.service.runtime, 'admin.sock');
    const request = http.request({ socketPath, method, path: target, agent: this.#agent });
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject).end();
    });
    const body = (await buffer(response)).toString('utf8');
    if ((response.statusCode ?? 0) >= 300) throw new Error(`${method} ${target}: ${response.statusCode} ${body}`);
    return body;
  }
}
