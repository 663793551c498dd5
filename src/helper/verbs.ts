import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { Value } from 'typebox/value';
import { ReelError } from '../errors.ts';
import type { VolumeContext } from '../volume/context.ts';
import { createVolume } from '../volume/create.ts';
import { findHolders } from '../volume/holders.ts';
import { lockVolume } from '../volume/lock.ts';
import { lookAt } from '../volume/look.ts';
import { mountAt, readMounts } from '../volume/mountinfo.ts';
import { KeyedMutex } from '../volume/mutex.ts';
import { openVolume } from '../volume/open.ts';
import { type Request, type Results, schemas, type Verb, type VolumeReport } from './protocol.ts';

/** A result, and a descriptor to send along; who gets it closes it. */
export interface Outcome {
  readonly result: Results[Verb];
  readonly fd: number;
}

const invalid = (expected: string, got: string): ReelError => new ReelError('invalid-argument', { expected, got });

/** Throws `invalid-argument` for anything that is not of the schemas. */
export const parseRequest = (json: unknown): Request => {
  const { verb } = (typeof json === 'object' && json !== null ? json : {}) as { verb?: unknown };
  if (typeof verb !== 'string' || !Object.hasOwn(schemas, verb)) {
    throw invalid(`one of the verbs ${Object.keys(schemas).join(', ')}`, JSON.stringify(verb ?? null).slice(0, 100));
  }
  const schema = schemas[verb as Verb];
  if (Value.Check(schema, json)) return json as Request;
  const [first] = Value.Errors(schema, json);
  throw invalid(
    `a request of the form of ${verb}`,
    `${first?.instancePath ?? ''} ${first?.message ?? 'another'}`.trim(),
  );
};

/** A secret where one is needed and none where none is: a stray one would mean that the caller mistook the verb. */
const checkSecret = (request: Request, secret: Buffer): void => {
  const needed = (request.verb === 'create' || request.verb === 'open') && request.key === 'passphrase';
  if (needed && secret.length === 0) throw invalid('a passphrase', 'an empty one');
  if (!needed && secret.length > 0) throw invalid(`no secret for ${request.verb}`, 'one');
};

/** `st_dev` as `major:minor` (the encoding of makedev(3)). */
const deviceNumber = (dev: number): string => {
  const wide = BigInt(dev);
  const major = ((wide >> 8n) & 0xfffn) | ((wide >> 32n) & ~0xfffn);
  const minor = (wide & 0xffn) | ((wide >> 12n) & ~0xffn);
  return `${major}:${minor & 0xffffffffn}`;
};

/** The root directory of an open volume. What was mounted at the time of the look is what is opened, or it is an error. */
const rootDescriptor = async (report: VolumeReport): Promise<number> => {
  if (report.state !== 'open') return -1;
  const fd = openSync(report.mountPoint, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const mount = mountAt(await readMounts(), report.mountPoint);
  if (mount !== undefined && deviceNumber(fstatSync(fd).dev) === mount.device) return fd;
  closeSync(fd);
  throw new ReelError('volume-identity', {
    expected: `the volume mounted at ${report.mountPoint}`,
    got: 'something else',
  });
};

/** Runs requests: those about one volume or one container after another, others side by side. */
export class Verbs {
  readonly #context: VolumeContext;
  readonly #mutex = new KeyedMutex();

  constructor(context: VolumeContext) {
    this.#context = context;
  }

  async run(request: Request, secret: Buffer): Promise<Outcome> {
    checkSecret(request, secret);
    if (request.verb === 'probe') return { result: await this.#probe(), fd: -1 };
    const container = 'container' in request ? request.container : undefined;
    const paths = this.#context.layout.paths(request.name, container);
    // Two names for one container would attach it twice; the order of the keys is always the same, so no two wait for each other.
    return this.#mutex.run(`name ${request.name}`, () =>
      this.#mutex.run(`container ${paths.container}`, () => this.#onVolume(request, secret)),
    );
  }

  /** Resolves when what was asked for until now is done. */
  idle(): Promise<void> {
    return this.#mutex.idle();
  }

  async #probe(): Promise<Results['probe']> {
    const { engines, layout } = this.#context;
    const [kernel, userspace] = await Promise.all([engines.kernel.probe(), engines.userspace.probe()]);
    return { engines: { kernel, userspace }, datapath: layout.datapath, pid: process.pid };
  }

  async #onVolume(request: Exclude<Request, { verb: 'probe' }>, secret: Buffer): Promise<Outcome> {
    const context = this.#context;
    switch (request.verb) {
      case 'create': {
        const result = await createVolume(context, request, secret);
        return { result, fd: await rootDescriptor(result) };
      }
      case 'open': {
        const result = await openVolume(context, request, secret);
        return { result, fd: await rootDescriptor(result) };
      }
      case 'inspect': {
        const { name, container, descriptor } = request;
        const { report } = await lookAt(context, name, { container, readBlock: descriptor });
        return { result: report, fd: descriptor ? await rootDescriptor(report) : -1 };
      }
      case 'lock':
        return { result: await lockVolume(context, request.name, request.container), fd: -1 };
      case 'holders': {
        const { mountPoint } = context.layout.paths(request.name);
        const mount = mountAt(await readMounts(), mountPoint);
        return { result: { holders: mount === undefined ? [] : await findHolders(mount.device) }, fd: -1 };
      }
    }
  }
}
