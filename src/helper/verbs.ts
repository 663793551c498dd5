import { Value } from 'typebox/value';
import { gotOf, wantedBy } from '../config/schema-words.ts';
import { ReelError } from '../errors.ts';
import type { VolumeContext } from '../volume/context.ts';
import { KeyedMutex } from '../volume/mutex.ts';
import { machineVerbs } from './protocol/machine.ts';
import { type Request, type Verb, verbs } from './protocol.ts';
import { growHandlers } from './verbs/grow.ts';
import type { Caller, Handler, Handlers, Outcome } from './verbs/handler.ts';
import { headerHandlers } from './verbs/header.ts';
import { keysHandlers } from './verbs/keys.ts';
import { leaseHandlers } from './verbs/lease.ts';
import { machineHandlers } from './verbs/machine.ts';
import { reencryptHandlers } from './verbs/reencrypt.ts';
import { slamHandlers } from './verbs/slam.ts';
import { unlockHandlers } from './verbs/unlock.ts';
import { volumeHandlers } from './verbs/volume.ts';
import { watchHandlers } from './verbs/watch.ts';

const handlers: Handlers<Verb> = {
  ...machineHandlers,
  ...volumeHandlers,
  ...keysHandlers,
  ...reencryptHandlers,
  ...leaseHandlers,
  ...growHandlers,
  ...watchHandlers,
  ...slamHandlers,
  ...headerHandlers,
  ...unlockHandlers,
};

const invalid = (expected: string, got: string): ReelError => new ReelError('invalid-argument', { expected, got });

/** Throws `invalid-argument` for anything that is not of the schemas. */
export const parseRequest = (json: unknown): Request => {
  const { verb } = (typeof json === 'object' && json !== null ? json : {}) as { verb?: unknown };
  if (typeof verb !== 'string' || !Object.hasOwn(verbs, verb)) {
    throw invalid(`one of the verbs ${Object.keys(verbs).join(', ')}`, JSON.stringify(verb ?? null).slice(0, 100));
  }
  const { schema } = verbs[verb as Verb];
  if (Value.Check(schema, json)) return json as Request;
  throw refusal(verb, json, Value.Errors(schema, json));
};

/** The first value that is wrong, by its name; what is missing or too much is told of the whole. */
const refusal = (verb: string, json: unknown, faults: ReturnType<typeof Value.Errors>): ReelError => {
  const fault = faults.find(({ instancePath }) => instancePath !== '') ?? faults[0];
  const field = fault?.instancePath.slice(1).replaceAll('/', '.') ?? '';
  if (fault === undefined || field === '')
    return invalid(`a request of the form of ${verb}`, fault?.message ?? 'another');
  if (fault.keyword === 'boolean') return invalid(`a request of the form of ${verb}`, `${field} in it`);
  const value = Value.Pointer.Get(json, fault.instancePath);
  return invalid(`${field} of ${verb} to be ${wantedBy(fault)}`, gotOf(field, value));
};

/** As many secrets as the verb takes: a stray one would mean that the caller mistook the verb. */
const checkSecrets = (request: Request, secrets: readonly Buffer[]): void => {
  const named = (verbs[request.verb].secrets as (request: Request) => readonly string[])(request);
  if (secrets.length > named.length) throw invalid(`no secret for ${request.verb}`, 'one');
  for (const [index, what] of named.entries()) {
    if ((secrets[index]?.length ?? 0) === 0) throw invalid(what, 'an empty one');
  }
};

/** Runs requests: those about one volume or one container after another, others side by side. */
export class Verbs {
  readonly #context: VolumeContext;
  readonly #mutex = new KeyedMutex();

  constructor(context: VolumeContext) {
    this.#context = context;
  }

  async run(request: Request, secrets: readonly Buffer[], caller: Caller): Promise<Outcome> {
    checkSecrets(request, secrets);
    const handle = handlers[request.verb] as Handler<Verb>;
    const context = this.#context;
    if (Object.hasOwn(machineVerbs, request.verb) || !('name' in request))
      return handle(context, request, secrets, caller);
    const work = (): Promise<Outcome> =>
      context.progress.follow(context, request, (followed) => handle(followed, request, secrets, caller));
    const container = 'container' in request ? request.container : undefined;
    const paths = this.#context.layout.paths(request.name, container);
    // Two names for one container would attach it twice; the order of the keys is always the same, so no two wait for each other.
    return this.#mutex.run(`name ${request.name}`, () => this.#mutex.run(`container ${paths.container}`, work));
  }

  /** Resolves when what was asked for until now is done. */
  idle(): Promise<void> {
    return this.#mutex.idle();
  }
}
