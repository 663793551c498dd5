/** `events`, `events test` and `audit` against a real service. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { Receiver } from '../events/webhook/receiver.ts';
import { TestService } from './service.ts';
import { refusesWrongUses, type WrongUse } from './wrong-uses.ts';

interface Event {
  readonly id: string;
  readonly type: string;
  readonly volume: string | null;
  readonly stream: string | null;
}

const secret = 'marked-secret-0123456789';
const json = (text: string): Record<string, unknown> => JSON.parse(text);
const linesOf = (text: string): Event[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event);

describe('events and audit', { timeout: 1_200_000 }, () => {
  let service: TestService;
  let folder: string;
  let receiver: Receiver;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'rv-events-'));
    const file = path.join(folder, 'secret');
    await writeFile(file, secret, { mode: 0o600 });
    receiver = await new Receiver(secret).start();
    service = await TestService.create();
    Object.assign(service.env, {
      REELVAULT_WEBHOOK_URLS: `${receiver.url}/a ${receiver.url}/b`,
      REELVAULT_WEBHOOK_SECRET_FILE: file,
      REELVAULT_WEBHOOK_TYPES: 'volume.key.*',
    });
    await service.start();
    const made = await service.run(['volume', 'create', 'main', '--size', '64M', '--locked']);
    assert.equal(made.code, 0, made.stderr);
    assert.equal((await service.run(['volume', 'open', 'main'])).code, 0);
  });
  after(async () => {
    await service.destroy(['main']);
    await receiver.stop();
    await rm(folder, { recursive: true });
  });

  /** `events --follow`, until `enough` of its lines; Ctrl-C then ends it. */
  const follow = async (
    args: readonly string[],
    meanwhile: () => Promise<unknown>,
    enough: (line: Event) => boolean,
  ) => {
    const child = spawn(path.join(service.base, 'reelvault'), ['events', '--follow', '--json', ...args], {
      env: service.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (piece: Buffer) => {
      said += piece.toString();
    });
    const closed = once(child, 'close');
    const heard: Event[] = [];
    const lines = createInterface({ input: child.stdout });
    try {
      const done = (async () => {
        for await (const line of lines) {
          heard.push(JSON.parse(line) as Event);
          if (enough(heard.at(-1) as Event)) return;
        }
        assert.fail(`it ended: ${said}`);
      })();
      await Promise.all([done, meanwhile()]);
    } finally {
      child.kill('SIGINT');
      await closed;
    }
    return { heard, said };
  };

  test('events: what happened, oldest first, for people and as JSON', async () => {
    const { code, stdout } = await service.run(['events', '--json']);
    assert.equal(code, 0);
    const all = linesOf(stdout);
    const numbers = all.map(({ id }) => Number(id.split('-')[1]));
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
    );
    assert.ok(all.some(({ type }) => type === 'service.started'));
    const words = await service.run(['events']);
    assert.equal(words.code, 0);
    assert.match(words.stdout, /^\d{4}-\d\d-\d\dT\S+Z volume\.state main state=open$/m);
    assert.match(words.stdout, /^\S+ service\.started - pid=\d+$/m);
  });

  test('events: only some types, or about something', async () => {
    const typed = linesOf((await service.run(['events', '--json', '--type', 'service.*', 'stream.failed'])).stdout);
    assert.deepEqual(
      typed.map(({ type }) => type),
      ['service.started'],
    );
    const about = linesOf((await service.run(['events', '--json', '--volume', 'main'])).stdout);
    assert.ok(about.length > 1 && about.every(({ volume }) => volume === 'main'));
    for (const filter of [
      ['--stream', 'cam'],
      ['--volume', 'other'],
      ['--type', 'none'],
    ]) {
      const none = await service.run(['events', ...filter]);
      assert.deepEqual([none.code, none.stdout], [0, '']);
    }
  });

  test('events --follow goes on with what happens, also after the daemon was killed, and says where some may be missing', async () => {
    const last = linesOf((await service.run(['events', '--json'])).stdout).at(-1)?.id;
    const { heard, said } = await follow(
      ['--type', 'volume.state', 'service.started'],
      async () => {
        assert.equal((await service.run(['volume', 'lock', 'main'])).code, 0);
        process.kill(service.pidOf('daemon'), 'SIGKILL');
      },
      ({ id, type }) => type === 'service.started' && id.split('-')[0] !== last?.split('-')[0],
    );
    assert.ok(heard.some(({ type, volume }) => type === 'volume.state' && volume === 'main'));
    assert.equal(new Set(heard.map(({ id }) => id)).size, heard.length, 'nothing twice');
    assert.match(said, /the service ended the connection; waiting for it/);
    assert.match(said, /some are missing here/);
    assert.equal((await service.run(['volume', 'open', 'main'])).code, 0);
  });

  test('events test: each receiver, for people and as JSON; exit code 8 when one does not take it', async () => {
    const words = await service.run(['events', 'test']);
    assert.equal(words.code, 0, words.stderr);
    assert.match(words.stdout, /^RECEIVER +EVENT +TOOK +ANSWER$/m);
    assert.match(words.stdout, new RegExp(`^${receiver.url} +taken +\\d+ ms +status 204$`, 'm'));
    receiver.answer = (_posted, _response, request) => (request.url === '/b' ? 500 : 200);
    const half = await service.run(['events', 'test', '--json']);
    assert.equal(half.code, 8);
    assert.deepEqual(
      (json(half.stdout).endpoints as { endpoint: string; status: number; delivered: boolean }[]).map(
        ({ endpoint, status, delivered }) => [endpoint, status, delivered],
      ),
      [
        [receiver.url, 200, true],
        [`${receiver.url}#2`, 500, false],
      ],
    );
    receiver.answer = () => 204;
    // Another type than the receivers want: this one is for the test.
    assert.deepEqual(new Set(receiver.types), new Set(['webhook.test']));
    const { stdout } = await service.run(['status']);
    assert.match(stdout, /^webhook +up +endpoints: \(endpoint http:\/\/127\.0\.0\.1:\d+, state new, /m);
  });

  test('audit list: who did what, for people and as JSON, the newest so many', async () => {
    const { code, stdout } = await service.run(['audit', 'list', '--json']);
    assert.equal(code, 0);
    const entries = json(stdout).entries as { sequence: number; act: string; who: { kind: string; uid?: number } }[];
    const create = entries.find(({ act }) => act.startsWith('POST /api/v1/volumes'));
    assert.deepEqual([create?.who.kind, create?.who.uid], ['local', 0]);
    const two = await service.run(['audit', 'list', '--limit', '2']);
    const [head, ...rows] = two.stdout.trimEnd().split('\n');
    assert.match(head ?? '', /^NUMBER +TIME +WHO +ACT +PHASE +FACTS$/);
    assert.equal(rows.length, 2);
    assert.match(rows[1] ?? '', /^\d+ +\S+Z +kind=local uid=0 pid=\d+ +POST \/api\/v1\/events\/test +end +status=200$/);
    assert.doesNotMatch(stdout, /marked-/);
  });

  test('audit verify: whole, with the hash to keep elsewhere', async () => {
    const words = await service.run(['audit', 'verify']);
    assert.equal(words.code, 0);
    assert.match(words.stdout, /^whole: \d+ entries from 1 to \d+\nhash of the newest: [0-9a-f]{64}\n$/);
    const { whole, last } = json((await service.run(['audit', 'verify', '--json'])).stdout) as {
      whole: boolean;
      last: { hash: string };
    };
    assert.equal(whole, true);
    assert.ok(words.stdout.includes(last.hash));
  });

  const wrongUses: WrongUse[] = [
    [['events', 'frobnicate'], 2, /error: /],
    [['events', '--type'], 2, /argument missing/],
    [['events', '--type', 'Volume'], 2, /invalid-argument/],
    [['events', '--typ', 'x'], 2, /unknown option/],
    [['events', 'test', 'now'], 2, /too many arguments/],
    [['events', '--runtime', '/nowhere'], 8, /not-running/],
    [['events', 'test', '--runtime', '/nowhere'], 8, /not-running/],
    [['audit', 'list', '--limit', '0'], 2, /invalid-argument/],
    [['audit', 'list', '--limit', 'all'], 2, /invalid-argument/],
    [['audit', 'list', '--limit', '10001'], 2, /invalid-argument/],
    [['audit', 'list', 'main'], 2, /too many arguments/],
    [['audit', 'verify', '--runtime', '/nowhere'], 8, /not-running/],
    [['audit'], 2, /Usage: reelvault audit/],
  ];
  refusesWrongUses(() => service, wrongUses);

  test('errors are JSON where --json is asked for', async () => {
    const { stderr } = await service.run(['events', '--json', '--type', 'Volume']);
    assert.equal((json(stderr).error as { code: string }).code, 'invalid-argument');
  });

  test('the help of each verb shows examples', async () => {
    for (const verb of [['events'], ['events', 'test'], ['audit', 'list'], ['audit', 'verify']]) {
      const { code, stdout } = await service.run([...verb, '--help']);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`Examples?:\n  reelvault ${verb.join(' ')}`));
    }
  });

  test('audit verify: a changed entry is named, exit code 6; what is whole is still listed', async () => {
    const file = `${service.base}/state/audit.jsonl`;
    const lines = (await readFile(file, 'utf8')).split('\n');
    lines[2] = lines[2]?.replace('"uid":0', '"uid":1') ?? '';
    await writeFile(file, lines.join('\n'));
    const words = await service.run(['audit', 'verify']);
    assert.deepEqual([words.code, words.stderr], [6, '']);
    assert.match(words.stdout, /^broken after 2 entries from 1 to 2: audit\.jsonl line 3: its hash does not hold/);
    const inJson = await service.run(['audit', 'verify', '--json']);
    assert.deepEqual([inJson.code, json(inJson.stdout).whole], [6, false]);
    assert.equal((await service.run(['audit', 'list'])).code, 0);
  });
});

test('events test without a webhook: exit code 4, and what to set', { timeout: 120_000 }, async () => {
  const service = await TestService.create();
  try {
    await service.start();
    const outcome = await service.run(['events', 'test', '--json']);
    assert.equal(outcome.code, 4);
    const error = json(outcome.stderr).error as { code: string; hint: string };
    assert.equal(error.code, 'not-found');
    assert.match(error.hint, /REELVAULT_WEBHOOK_URLS/);
    assert.equal('webhook' in (json((await service.run(['status', '--json'])).stdout).parts as object), false);
  } finally {
    await service.destroy([]);
  }
});
