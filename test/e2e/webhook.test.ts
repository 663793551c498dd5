/** The webhook of a service as an admin runs it: the daemon is confined and has no look at the files of its secret and its authorities. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeCertificate } from '../../src/tls/certificate.ts';
import { Receiver } from '../events/webhook/receiver.ts';
import { Service } from './service.ts';

interface Health {
  readonly ready: boolean;
  readonly parts: Readonly<Record<string, boolean>>;
  readonly details: { readonly webhook: { readonly endpoints: readonly { state: string; delivered: number }[] } };
}

describe('webhook', () => {
  let folder: string;
  let secret: string;
  let receiver: Receiver;
  let service: Service;

  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'rv-hook-'));
    secret = randomBytes(32).toString('hex');
    await writeFile(path.join(folder, 'secret'), `${secret}\n`, { mode: 0o600 });
    const { key, certificate } = await makeCertificate('localhost', Date.now());
    await writeFile(path.join(folder, 'ca.pem'), certificate, { mode: 0o600 });
    receiver = await new Receiver(secret, { key, cert: certificate }).start();
    service = await Service.make({
      REELVAULT_WEBHOOK_URLS: `${receiver.url.replace('//', '//marked-user:marked-pass@')}/marked-path?marked-query`,
      REELVAULT_WEBHOOK_SECRET_FILE: path.join(folder, 'secret'),
      REELVAULT_WEBHOOK_CA_FILE: path.join(folder, 'ca.pem'),
      REELVAULT_LOG: 'trace',
    });
  });
  after(async () => {
    await service.close();
    await receiver.stop();
    await rm(folder, { recursive: true });
  });

  const came = (type: string, state?: string): number =>
    receiver.posted.filter((event) => event.type === type && (state === undefined || event.facts.state === state))
      .length;
  const state = async (): Promise<Health> => (await service.cli(['status'])).json as Health;

  test('the confined daemon posts over TLS what happens, signed with a secret that only root can read', async () => {
    const made = await service.cli(['volume', 'create', 'main', '--size', '64M']);
    assert.equal(made.exitCode, 0, made.error?.got);
    await receiver.until(() => came('volume.state', 'open') === 1);
    assert.equal(receiver.types[0], 'service.started');
    const status = await readFile(`/proc/${service.partPid('daemon')}/status`, 'utf8');
    assert.doesNotMatch(status, /^Uid:\s+0/m);
    const { parts, details } = await state();
    assert.equal(parts.webhook, true);
    assert.equal(details.webhook.endpoints[0]?.state, 'delivering');
    const metrics = (await service.request('GET', '/metrics')).body.toString();
    assert.match(metrics, /^reelvault_webhook_delivered_total\{endpoint="https:\/\/127\.0\.0\.1:\d+"\} [1-9]/m);
  });

  test('events test', async () => {
    const { exitCode, json } = await service.cli(['events', 'test']);
    assert.equal(exitCode, 0);
    const [tested] = (json as { endpoints: { delivered: boolean; status: number; endpoint: string }[] }).endpoints;
    assert.deepEqual([tested?.delivered, tested?.status, tested?.endpoint], [true, 204, receiver.url]);
    assert.equal(came('webhook.test'), 1);
  });

  test('a receiver that hangs or is down delays no volume and no status; it gets everything in order when it is back', async () => {
    receiver.answer = () => undefined;
    const before = receiver.posted.length;
    assert.equal((await service.cli(['volume', 'lock', 'main'])).exitCode, 0);
    await receiver.until(() => receiver.posted.length > before);
    assert.equal((await service.cli(['volume', 'open', 'main'])).exitCode, 0);
    await receiver.stop();
    await service.until(async () => {
      return (await state()).details.webhook.endpoints[0]?.state === 'failing' ? true : undefined;
    }, 'the webhook to fail');
    const tested = await service.cli(['events', 'test']);
    assert.equal(tested.exitCode, 8);
    receiver.answer = () => 204;
    const seen = receiver.posted.length;
    await receiver.start();
    await receiver.until(() => came('volume.state', 'open') === 2);
    const numbers = receiver.posted.slice(seen).map(({ id }) => Number(id.split('-')[1]));
    assert.deepEqual(
      numbers,
      numbers.toSorted((one, other) => one - other),
    );
    assert.equal(new Set(numbers).size, numbers.length);
  });

  test('a killed daemon posts again after its restart, also when the file of the secret is gone by then', async () => {
    await rm(path.join(folder, 'secret'));
    const former = service.partPid('daemon');
    process.kill(former, 'SIGKILL');
    await receiver.until(() => came('service.started') === 2);
    const started = receiver.posted.findLast(({ type }) => type === 'service.started');
    assert.notEqual(started?.facts.pid, former);
    await writeFile(path.join(folder, 'secret'), secret, { mode: 0o600 });
  });

  test('a stop is told before the service has ended, and one with a hanging receiver is bounded', async () => {
    service.signal('SIGTERM');
    assert.equal(await service.ended(), 0);
    assert.equal(came('service.stopping'), 1);
    await service.start();
    await receiver.until(() => came('service.started') === 3);
    receiver.answer = () => undefined;
    service.signal('SIGTERM');
    assert.equal(await service.ended(), 0);
    assert.match(service.log, /"reason":"closed"/);
    receiver.answer = () => 204;
    await service.start();
  });

  test('neither log nor events nor status hold the secret, or more of the URL than its host', async () => {
    const recent = (await service.request('GET', '/api/v1/events/recent')).body.toString();
    const everything = service.log + recent + JSON.stringify(await state());
    assert.match(everything, /webhook\.dropped/);
    assert.doesNotMatch(everything, /marked-/);
    assert.ok(!everything.includes(secret));
    for (const part of ['daemon', 'helper'] as const) {
      const environment = await readFile(`/proc/${service.partPid(part)}/environ`, 'utf8');
      assert.ok(!environment.includes(secret));
    }
  });
});

describe('webhook settings that cannot be', () => {
  test('a start is refused with the reason, before anything is made', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-hook-'));
    try {
      const secretFile = path.join(folder, 'secret');
      const ca = path.join(folder, 'ca');
      await writeFile(secretFile, 'marked-secret-0123456789', { mode: 0o644 });
      await writeFile(ca, 'no certificate');
      const settings = { REELVAULT_WEBHOOK_URLS: 'https://127.0.0.1:1/', REELVAULT_WEBHOOK_SECRET_FILE: secretFile };
      const refusal = (changes: Record<string, string>): Promise<string> =>
        Service.make({ ...settings, ...changes }).then(
          () => assert.fail('started'),
          (error: Error) => error.message,
        );
      assert.match(await refusal({}), /closed to others \(chmod 0600\).*mode 644/);
      assert.match(await refusal({ REELVAULT_WEBHOOK_SECRET_FILE: `${folder}/none` }), /ENOENT/);
      assert.match(await refusal({ REELVAULT_WEBHOOK_SECRET_FILE: folder }), /regular file/);
      assert.match(await refusal({ REELVAULT_WEBHOOK_CA_FILE: ca }), /certificates in PEM/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
