/** `auth explain` against a real service. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestService } from './service.ts';
import { refusesWrongUses } from './wrong-uses.ts';

describe('auth explain', { timeout: 600_000 }, () => {
  let service: TestService;
  before(async () => {
    service = await TestService.create();
    await service.start();
  });
  after(() => service.destroy([]));

  test('without rules it says what the service itself does, for each kind of request', async () => {
    const rows = [
      [['GET', '/cam1/index.m3u8'], /web of the stream cam1, through the listener default/, /anybody may ask/],
      [['put', '/ingest/cam1', '--as', 'encoder', '--from', '192.0.2.7'], /web of the stream cam1/, /a publish ticket/],
      [['POST', '/api/v1/volumes/main/lock'], /the command volumes\/lock/, /the admin signs in/],
      [
        ['GET', 'https://vault:8443/api/v1/streams/cam1?x=1'],
        /the command streams of the stream cam1/,
        /the admin signs in/,
      ],
      [['GET', '/nothing/at/all'], /web, .*no route answers/, /anybody may ask/],
    ] as const;
    for (const [args, asked, why] of rows) {
      const { code, stdout, stderr } = await service.run(['auth', 'explain', ...args]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^the rules of the service itself count\n/);
      assert.match(stdout, asked);
      assert.match(stdout, why);
    }
    const { stdout } = await service.run(['auth', 'explain', 'GET', '/cam1/index.m3u8', '--json']);
    assert.equal(JSON.parse(stdout).outcome, 'undecided');
  });

  refusesWrongUses(
    () => service,
    [
      [['auth', 'explain', 'GET', 'cam1'], 2, /"url" in the body/],
      [['auth', 'explain', 'G T', '/cam1'], 2, /"method" in the body/],
      [['auth', 'explain', 'GET'], 2, /missing required argument 'url'/],
      [['auth', 'import-icecast', '/nonexistent'], 2, /ENOENT/],
    ],
  );
});
