/** The configuration of a service as an admin runs it: the daemon is confined, a recording runs, and what is changed holds at once. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { Receiver } from '../events/webhook/receiver.ts';
import { makeClip, Publisher } from './publisher.ts';
import { freePort, Service } from './service.ts';

/** The account nobody, which every Debian has. */
const nobody = 65534;
const secret = 'whsec_bWFya2VkLXNlY3JldC0wMTIzNDU2Nzg5';

describe('configuration', () => {
  let folder: string;
  let place: string;
  let file: string;
  let receiver: Receiver;
  let service: Service;
  let port: number;
  let publisher: Publisher | undefined;

  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'rv-config-e2e-'));
    place = path.join(folder, 'etc');
    file = path.join(place, 'reelvault.yaml');
    await mkdir(place, { mode: 0o750 });
    port = await freePort();
    await writeFile(file, `# of the test\ntuning:\n  listen: 127.0.0.1:${port} # moved below\n`, { mode: 0o640 });
    for (const each of [place, file]) await chown(each, nobody, nobody);
    await writeFile(path.join(folder, 'secret'), `${secret}\n`, { mode: 0o600 });
    receiver = await new Receiver(Buffer.from('marked-secret-0123456789')).start();
    service = await Service.make({
      REELVAULT_USER: 'nobody',
      REELVAULT_CONFIG: file,
      REELVAULT_WEBHOOK_SECRET_FILE: path.join(folder, 'secret'),
      REELVAULT_LISTEN: undefined,
      REELVAULT_SEGMENT_MS: undefined,
    });
    const made = await service.cli(['volume', 'create', 'main', '--size', '256M', '--engine', 'userspace']);
    assert.equal(made.exitCode, 0, JSON.stringify(made.error));
    const { path: target } = (await call('POST', '/streams/cam1/tickets')).body as { path: string };
    publisher = new Publisher(new URL(target, `https://127.0.0.1:${port}`).href, await makeClip(folder));
  });
  after(async () => {
    await publisher?.close();
    await service.cli(['volume', 'lock', 'main', '--drain']);
    await service.close();
    await receiver.stop();
    await rm(folder, { recursive: true });
  });

  /** As the admin, over HTTPS. */
  const call = async (method: string, url: string, body?: object, at = port) => {
    const request = https.request(`https://127.0.0.1:${at}/api/v1${url}`, {
      ...{ method, agent: false, rejectUnauthorized: false },
      headers: { authorization: service.authorization, ...(body && { 'content-type': 'application/json' }) },
    });
    const [response] = (await once(request.end(body && JSON.stringify(body)), 'response')) as [IncomingMessage];
    return { status: response.statusCode, body: response.statusCode === 204 ? null : await json(response) };
  };
  const config = async (...args: string[]): Promise<unknown> => {
    const { exitCode, json: answer, error } = await service.cli(['config', ...args]);
    assert.equal(exitCode, 0, JSON.stringify(error));
    return answer;
  };
  const recordsOn = async (): Promise<void> => {
    const { json: stream } = await service.cli(['stream', 'show', 'cam1']);
    assert.equal((stream as { recording: boolean }).recording, true, JSON.stringify(stream));
  };

  test('what is set holds at once, is saved by the confined daemon with its comments, and costs no recording', async () => {
    await service.until(
      async () =>
        ((await service.cli(['stream', 'show', 'cam1'])).json as { recording: boolean }).recording || undefined,
      'the recording',
    );
    const line = /"name":"daemon".*"msg":"request"/;
    assert.doesNotMatch(service.log, line);
    await config('set', 'tuning.segment_ms=2500', 'tuning.log_level=debug');
    await call('PUT', '/streams/new', {});
    const { body } = await call('GET', '/streams/new');
    assert.equal((body as { segmentMs: number }).segmentMs, 2500);
    assert.match(service.log, line);
    assert.match(await readFile(file, 'utf8'), /^# of the test\ntuning:\n {2}listen: 127.0.0.1:\d+ # moved below\n/);
    assert.deepEqual([(await stat(file)).uid, (await stat(file)).mode & 0o777], [nobody, 0o640]);
    await recordsOn();
  });

  test('a receiver of events that is named while it runs gets them', async () => {
    const { exitCode } = await service.cli(
      ['config', 'set', '--stdin', 'webhook.urls'],
      `["${receiver.url}/marked-path"]\n`,
    );
    assert.equal(exitCode, 0);
    const { json: tested } = await service.cli(['events', 'test']);
    assert.equal((tested as { endpoints: { delivered: boolean }[] }).endpoints[0]?.delivered, true);
    await receiver.until(() => receiver.types.includes('webhook.test'));
    assert.deepEqual(receiver.problems, []);
    const onArgv = await service.cli(['config', 'set', 'webhook.urls=[https://a/]']);
    assert.equal(onArgv.error?.code, 'invalid-argument');
  });

  test('the listener moves on trial: back by cancel; confirmed at the new address it stays', async () => {
    const next = await freePort();
    const moved = await call('PATCH', '/config', { tuning: { listen: `127.0.0.1:${next}` } });
    assert.equal(moved.status, 200, JSON.stringify(moved.body));
    await assert.rejects(call('GET', '/health'), { code: 'ECONNREFUSED' });
    assert.equal((await call('GET', '/health', undefined, next)).status, 200);
    await config('cancel');
    assert.equal((await call('GET', '/health')).status, 200);
    const again = await call('PATCH', '/config', { tuning: { listen: `127.0.0.1:${next}` } });
    const { id } = (again.body as { trial: { id: string } }).trial;
    const confirmed = await call('POST', '/config/confirm', { id }, next);
    assert.equal(confirmed.status, 200, JSON.stringify(confirmed.body));
    port = next;
    assert.match(await readFile(file, 'utf8'), new RegExp(`listen: 127.0.0.1:${next} # moved below`));
    await recordsOn();
  });

  test('locked: refused with the reason, through API and CLI', async () => {
    await writeFile(`${file}.locked`, 'freeze until monday\n');
    const { exitCode, error } = await service.cli(['config', 'set', 'tuning.segment_ms=3000']);
    assert.deepEqual([exitCode, error?.code], [3, 'config-locked']);
    assert.match(error?.got ?? '', /freeze until monday/);
    assert.equal((await call('PATCH', '/config', { tuning: { segment_ms: 3000 } })).status, 423);
    await rm(`${file}.locked`);
  });

  test('access rules are taken up on trial, and back by cancel; a wrong one is refused with its place', async () => {
    const plays = async (credentials?: string) => {
      const request = https.get(`https://127.0.0.1:${port}/cam1/index.m3u8`, {
        ...{ agent: false, rejectUnauthorized: false },
        ...(credentials !== undefined && { auth: credentials }),
      });
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      response.resume();
      return response.statusCode;
    };
    assert.equal(await plays(), 200);
    const friend = { type: 'static', allow_web: '*', options: { username: 'friend', password: 'marked-wine' } };
    const streams = (role: object) => ({
      streams: { cam1: { authentication: [role, { type: 'anonymous', deny_all: '*' }] } },
    });
    const set = await call('PATCH', '/config', streams(friend));
    assert.equal(set.status, 200, JSON.stringify(set.body));
    assert.deepEqual([await plays(), await plays('friend:marked-wine'), await plays('friend:salad')], [401, 200, 401]);
    assert.ok(!JSON.stringify([set.body, await config('show')]).includes('marked'));
    await config('cancel');
    assert.equal(await plays(), 200);
    const wrong = await call('PATCH', '/config', streams({ ...friend, options: { user: 'friend' } }));
    const { error } = wrong.body as { error: { code: string; details: { problems: { key: string; line: number }[] } } };
    assert.deepEqual([wrong.status, error.code], [422, 'config-invalid']);
    assert.match(error.details.problems[0]?.key ?? '', /^streams\.cam1\.authentication/);
    assert.ok((error.details.problems[0]?.line ?? 0) > 0);
    await recordsOn();
  });

  test('history, diff and roll-back; secrets are in no answer, log, event or audit entry', async () => {
    const { versions } = (await config('history')) as { versions: { id: number; by: string }[] };
    assert.match(versions[0]?.by ?? '', /^admin from 127\.0\.0\.1$/);
    assert.match(versions.at(-2)?.by ?? '', /^user 0 on this machine$/);
    const { diff } = (await config('diff', '1')) as { diff: string };
    assert.match(diff, /^\+ +- "\(secret 1\)"/m);
    const told = [diff, await config('show'), await config('rollback', '1', '--json')];
    await config('cancel');
    const trail = await readdir(path.join(service.folder, 'state'), { recursive: true });
    const audit = trail.filter((name) => name.includes('audit') && name.endsWith('.jsonl'));
    const files = await Promise.all(audit.map((name) => readFile(path.join(service.folder, 'state', name), 'utf8')));
    assert.ok(
      files.some((text) => text.includes('config.changed')),
      trail.join(),
    );
    for (const text of [service.log, JSON.stringify(told), JSON.stringify(receiver.posted), ...files])
      assert.ok(!text.includes('marked'));
  });

  test('a file that becomes wrong: told, and what was holds, also when the daemon is killed', async () => {
    const right = await readFile(file, 'utf8');
    await writeFile(file, right.replace('segment_ms: 2500', 'segment_ms: soon'));
    const status = () =>
      service
        .cli(['status'])
        .then(({ json: all }) => all as { details: { config?: { wrong?: string[] } } } | undefined);
    const wrong = await service.until(async () => (await status())?.details.config?.wrong, 'the problem to be told');
    assert.match(wrong[0] ?? '', /^4:3 tuning\.segment_ms: expected a whole number/);
    assert.match(
      (await service.request('GET', new URL('/metrics', `https://127.0.0.1:${port}`).href)).body.toString(),
      /^reelvault_config_wrong 1$/m,
    );
    const pid = service.partPid('daemon');
    process.kill(pid, 'SIGKILL');
    await service.until(() => (service.partPid('daemon') !== pid ? true : undefined), 'a new daemon');
    const values = (await config('show')) as { values: { tuning: { segment_ms: number } }; problems: unknown[] };
    assert.deepEqual([values.values.tuning.segment_ms, values.problems.length], [2500, 1]);
  });

  test('at a start of the service it is refused with every problem', async () => {
    service.signal('SIGTERM');
    await service.ended();
    await assert.rejects(service.start());
    const { code, details } = JSON.parse(
      service.log
        .trim()
        .split('\n')
        .findLast((line) => line.includes('"config-invalid"')) ?? '{}',
    ).error;
    assert.equal(code, 'config-invalid');
    assert.deepEqual([details.problems[0].line, details.problems[0].column], [4, 3]);
    const { exitCode, json: checked } = await service.cli(['config', 'validate']);
    assert.deepEqual([exitCode, (checked as { valid: boolean }).valid], [2, false]);
  });

  test('in a directory of root it is read, taken up, and not saved: with words', async () => {
    await writeFile(file, `tuning: {listen: "127.0.0.1:${port}"}\n`);
    await chown(place, 0, 0);
    await chmod(place, 0o755);
    await chmod(file, 0o644);
    await service.start();
    const { error } = await service.cli(['config', 'set', 'tuning.segment_ms=3000']);
    assert.equal(error?.code, 'config-unwritable');
    await writeFile(path.join(place, 'new'), `tuning: {listen: "127.0.0.1:${port}", segment_ms: 3500}\n`, {
      mode: 0o644,
    });
    await import('node:fs/promises').then((fs) => fs.rename(path.join(place, 'new'), file));
    await service.until(
      async () =>
        ((await config('show')) as { values: { tuning: { segment_ms: number } } }).values.tuning.segment_ms === 3500 ||
        undefined,
      'the new file',
    );
  });
});
