/** What the helper writes into its log of what goes wrong, and how much of it reaches the daemon. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { after, before, test } from 'node:test';
import pino from 'pino';
import { ReelError } from '../../src/errors.ts';
import { HelperClient } from '../../src/helper/client.ts';
import type { HelperServer } from '../../src/helper/server.ts';
import { helperSocket, startHelper } from '../../src/helper/start.ts';
import { createRequest, Place, service } from './harness.ts';

interface Line {
  readonly level: number;
  readonly msg?: string;
  readonly verb?: string;
  readonly name?: string;
  readonly volume?: string;
  readonly code?: string;
  readonly reason?: string;
  readonly cause?: string;
  readonly err?: { readonly stack: string };
}

let place: Place;
let server: HelperServer;
let client: HelperClient;
/** What the next create throws after its first step. */
let thrown: unknown;
const lines: Line[] = [];
before(async () => {
  place = await Place.make();
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      for (const line of String(chunk).split('\n').filter(Boolean)) lines.push(JSON.parse(line) as Line);
      done();
    },
  });
  server = await startHelper({
    datapath: [place.storage, place.mounts],
    runtime: place.runtime,
    service,
    log: pino({ level: 'info' }, sink),
    seams: {
      afterStep: () => {
        throw thrown;
      },
    },
  });
  client = new HelperClient({ socketPath: helperSocket(place.runtime) });
});
after(async () => {
  await server.close();
  await place.destroy();
});

/** The error of a create that throws `what`, and the lines that it left at warn and above. */
const fail = async (what: unknown): Promise<{ error: ReelError; told: Line[] }> => {
  thrown = what;
  lines.length = 0;
  const error: unknown = await client.call(createRequest('userspace', { name: 'logged' })).then(
    () => assert.fail('it did not fail'),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof ReelError);
  return { error, told: lines.filter(({ level }) => level >= 40) };
};

test('what was foreseen is one line of words: verb, volume, code, reason, cause, and no stack', async () => {
  const deep = new Error('EIO of the disk');
  const cause = new Error('a read failed', { cause: deep });
  const { error, told } = await fail(new ReelError('no-space', { expected: 'room', got: 'none', cause }));
  assert.equal(error.code, 'no-space');
  assert.equal(told.length, 1, JSON.stringify(told));
  const [line] = told;
  assert.deepEqual(
    [line?.level, line?.verb, line?.volume, line?.code, line?.reason, line?.cause],
    [40, 'create', 'logged', 'no-space', 'Expected room, got none', 'a read failed: EIO of the disk'],
  );
  assert.equal(JSON.stringify(told).includes('    at '), false, 'a stack in the log');
});

test('what nobody foresaw is an error with the stack of where it was thrown', async () => {
  const { error, told } = await fail(new TypeError('undefined is no volume'));
  assert.equal(error.code, 'internal');
  assert.equal(told.length, 1, JSON.stringify(told));
  const [line] = told;
  assert.deepEqual([line?.level, line?.verb, line?.volume], [50, 'create', 'logged']);
  assert.match(line?.err?.stack ?? '', /undefined is no volume.*log\.test\.ts/s);
});

test('the cause crosses the socket in words, without the stack', async () => {
  const cause = new ReelError('command-failed', { expected: 'success of losetup', got: 'exit code 1: no such device' });
  const { error } = await fail(new ReelError('engine-unavailable', { expected: 'a loop device', got: 'none', cause }));
  assert.ok(error.cause instanceof Error);
  assert.equal(error.cause.message, 'Expected success of losetup, got exit code 1: no such device');
  assert.equal(error.cause.stack?.includes('    at '), false);
  assert.equal((await fail(new ReelError('volume-state', { expected: 'a', got: 'b' }))).error.cause, undefined);
});

test('a cause as long as the mouth of a river is cut', async () => {
  const { error } = await fail(
    new ReelError('io-error', { expected: 'a', got: 'b', cause: new Error('x'.repeat(100_000)) }),
  );
  assert.ok(error.cause instanceof Error && error.cause.message.length <= 2000);
});

test('a request that is none is told as well, with what was wrong', async () => {
  lines.length = 0;
  await assert.rejects(client.call({ ...createRequest('userspace'), size: 1 }), { code: 'invalid-argument' });
  const told = lines.filter(({ level }) => level >= 40);
  assert.equal(told.length, 1, JSON.stringify(told));
  assert.equal(told[0]?.code, 'invalid-argument');
  assert.equal(JSON.stringify(told).includes('    at '), false);
});
