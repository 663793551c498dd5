import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings, parseListen, settingsToEnvironment } from '../../src/config/load.ts';
import { defaultSettings } from '../../src/config/settings.ts';
import { webhookAddress } from '../../src/config/webhook-address.ts';
import { ReelError } from '../../src/errors.ts';

const refused = (name: string) => (error: unknown) => {
  assert.ok(error instanceof ReelError);
  assert.equal(error.code, 'config-invalid');
  assert.equal(error.details.key, name);
  return true;
};

test('defaults hold where nothing is set', () => {
  assert.deepEqual(loadSettings({ PATH: '/bin' }), defaultSettings);
});

test('a flag wins over the environment, the environment over the default', () => {
  const settings = loadSettings(
    { REELVAULT_STATE: '/a', REELVAULT_SEGMENT_MS: '2000', REELVAULT_DATAPATH: '/x/:/y/../z' },
    { state: '/b/', listen: '[::1]:0' },
  );
  assert.equal(settings.state, '/b');
  assert.equal(settings.segmentMs, 2000);
  assert.deepEqual(settings.datapath, ['/x', '/z']);
  assert.deepEqual([settings.listenHost, settings.listenPort], ['::1', 0]);
});

test('settings survive the way through the environment of a child', () => {
  const settings = {
    ...defaultSettings,
    listenHost: '::1',
    listenPort: 1234,
    datapath: ['/a b', '/c'],
    ingestIdleMs: 300,
    webhookUrls: ['https://a.example/x,y', 'http://u:p@127.0.0.1:1/?q=1'],
    webhookSecretFile: '/etc/hook secret',
    webhookTypes: ['volume.*', 'stream.failed'],
  };
  assert.deepEqual(loadSettings(settingsToEnvironment(settings)), settings);
});

const hook = { REELVAULT_WEBHOOK_URLS: 'https://a/', REELVAULT_WEBHOOK_SECRET_FILE: '/etc/secret' };
const bad: [name: string, env: Record<string, string>, flags?: Record<string, string>][] = [
  ['REELVAULT_STATE', { REELVAULT_STATE: 'relative' }],
  ['REELVAULT_DATAPATH', { REELVAULT_DATAPATH: '' }],
  ['REELVAULT_DATAPATH', { REELVAULT_DATAPATH: '/a::/b' }],
  ['REELVAULT_SEGMENT_MS', { REELVAULT_SEGMENT_MS: '4e3' }],
  ['REELVAULT_COMMIT_INTERVAL_MS', { REELVAULT_COMMIT_INTERVAL_MS: '1' }],
  ['REELVAULT_LISTEN', { REELVAULT_LISTEN: '127.0.0.1' }],
  ['REELVAULT_LISTEN', { REELVAULT_LISTEN: '127.0.0.1:65536' }],
  ['REELVAULT_LOG', { REELVAULT_LOG: 'loud' }],
  ['REELVAULT_WRITER', { REELVAULT_WRITER: 'magic' }],
  ['REELVAULT_SEGMENTS_MS', { REELVAULT_SEGMENTS_MS: '4000' }],
  ['REELVAULT_USER', { REELVAULT_USER: 'root; rm' }],
  ['REELVAULT_WEBHOOK_URLS', { REELVAULT_WEBHOOK_URLS: 'hooks.example/x' }],
  ['REELVAULT_WEBHOOK_URLS', { REELVAULT_WEBHOOK_URLS: 'file:///etc/passwd' }],
  ['REELVAULT_WEBHOOK_URLS', { ...hook, REELVAULT_WEBHOOK_URLS: 'https://a/ '.repeat(9) }],
  ['REELVAULT_WEBHOOK_SECRET_FILE', { REELVAULT_WEBHOOK_URLS: 'https://a/' }],
  ['REELVAULT_WEBHOOK_SECRET_FILE', { ...hook, REELVAULT_WEBHOOK_SECRET_FILE: 'secret' }],
  ['REELVAULT_WEBHOOK_CA_FILE', { REELVAULT_WEBHOOK_CA_FILE: '/etc/ca' }],
  ['REELVAULT_WEBHOOK_TYPES', { ...hook, REELVAULT_WEBHOOK_TYPES: 'volume.*,Volume' }],
  ['--webhook-urls', {}, { webhookUrls: 'https://user:marked-password@a/' }],
  ['--default-volume', {}, { defaultVolume: '../x' }],
  ['state', { REELVAULT_DATAPATH: '/var' }],
  ['REELVAULT_RUNTIME', { REELVAULT_RUNTIME: '/storage/run' }],
];
for (const [name, env, flags] of bad) {
  test(`refused: ${JSON.stringify(env)} ${JSON.stringify(flags ?? {})}`, () => {
    assert.throws(() => loadSettings(env, flags), refused(name));
  });
}

test('a directory whose name only starts like the datapath is outside it', () => {
  assert.equal(loadSettings({ REELVAULT_RUNTIME: '/storage-run' }).runtime, '/storage-run');
});

test('listen takes a port alone', () => {
  assert.deepEqual(parseListen('9000'), { listenHost: '127.0.0.1', listenPort: 9000 });
});

test('a webhook that is refused is not quoted: its path, query and password may be secrets', () => {
  for (const url of [
    'https://marked@a/ '.repeat(8),
    'https://u:marked@a/%',
    'gopher://marked@a/',
    'marked',
    'https://u:mar%ked@a/',
  ]) {
    assert.throws(
      () => loadSettings({ ...hook, REELVAULT_WEBHOOK_URLS: `https://ok/ ${url}`, REELVAULT_LOG: 'none' }),
      (error: ReelError) => !JSON.stringify(error).includes('mar'),
    );
  }
});

test('a webhook: user and password leave the URL for a header, and its name has neither path nor query', () => {
  assert.deepEqual(webhookAddress('https://user:p%40ss@hooks.example:8443/T0/B1?token=x#y', 'x'), {
    url: new URL('https://hooks.example:8443/T0/B1?token=x'),
    authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
    origin: 'https://hooks.example:8443',
  });
  assert.equal(webhookAddress('http://[::1]:9/', 'x').authorization, null);
});
