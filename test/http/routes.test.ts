import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ReelError } from '../../src/errors.ts';
import { signedIn, standIn } from './support.ts';

const { app, seen } = await standIn();
after(() => app.close());

const ask = (method: 'GET' | 'PUT' | 'POST' | 'DELETE', url: string, extra: object = {}) =>
  app.inject({ method, url, headers: signedIn, ...extra });
const secretBody = (text: string) => ({
  headers: { ...signedIn, 'content-type': 'application/octet-stream' },
  payload: Buffer.from(text),
});
const errorOf = (response: { json: () => { error: { code: string; details: Record<string, unknown> } } }) =>
  response.json().error;

test('volumes: list and one', async () => {
  const list = await ask('GET', '/api/v1/volumes');
  assert.equal(list.statusCode, 200);
  assert.equal(list.json().volumes[0].name, 'main');
  assert.equal(list.headers['cache-control'], 'no-store');
  assert.equal((await ask('GET', '/api/v1/volumes/main')).json().uuid, '8a2f4c1e-0000-4000-8000-000000000001');
  assert.equal((await ask('GET', '/api/v1/volumes/none')).statusCode, 404);
});

test('volumes: create takes the passphrase from the body, the rest from the query, and zeroes the passphrase', async () => {
  seen.calls.length = 0;
  seen.secrets.length = 0;
  const url = '/api/v1/volumes/main?size=1073741824&type=luks1&engine=userspace&open=false';
  const made = await ask('PUT', url, secretBody('marked-phrase'));
  assert.equal(made.statusCode, 201, made.body);
  const options = { size: 1073741824, type: 'luks1', engine: 'userspace', open: false };
  assert.deepEqual(seen.calls, [{ call: 'create', name: 'main', options, secret: 'marked-phrase' }]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(
    seen.secrets[0]?.every((byte) => byte === 0),
    'the passphrase is still in memory',
  );
});

test('volumes: without a body the key file is used', async () => {
  seen.calls.length = 0;
  assert.equal((await ask('PUT', '/api/v1/volumes/main?size=1073741824')).statusCode, 201);
  assert.equal((await ask('POST', '/api/v1/volumes/main/open')).statusCode, 200);
  assert.deepEqual(seen.calls, [
    { call: 'create', name: 'main', options: { size: 1073741824, type: 'luks2', open: true } },
    { call: 'open', name: 'main', options: { readOnly: false } },
  ]);
});

test('volumes: the three levels of lock; the old name of drain; two levels at once are refused', async () => {
  seen.calls.length = 0;
  const level = (query: string) => ask('POST', `/api/v1/volumes/main/lock?${query}`);
  for (const query of ['level=lock', 'level=drain&deadline=60', 'level=slam', 'level=slam&deadline=0', 'drain=true']) {
    const { state, recordings } = (await level(query)).json();
    assert.deepEqual([state, recordings], ['locked', query === 'level=lock' ? [] : ['cam1']], query);
  }
  assert.deepEqual(
    seen.calls.map(({ call, options }) => [call, options]),
    [
      ['lock', { drain: false }],
      ['lock', { drain: true, deadlineMs: 60_000 }],
      ['slam', { deadlineMs: 10_000 }],
      ['slam', { deadlineMs: 0 }],
      ['lock', { drain: true }],
    ],
  );
  for (const query of ['level=slam&drain=true', 'level=hard', 'deadline=601', 'deadline=-1', 'deadline=x']) {
    assert.equal((await level(query)).json().error.code, 'invalid-argument', query);
  }
  assert.equal(seen.calls.length, 5);
});

test('leases: defaults, and what is refused before anything is asked', async () => {
  seen.calls.length = 0;
  const url = '/api/v1/volumes/main/leases';
  const post = (body: object) => app.inject({ method: 'POST', url, headers: signedIn, payload: body });
  const made = await post({ consumer: 'x', uid: 33, gid: 33 });
  assert.equal(made.statusCode, 201);
  assert.equal(made.json().mountPoint, '/mount/leases/main/x');
  for (const [consumer, removed] of [
    ['x', true],
    ['gone', false],
  ]) {
    const ended = await ask('DELETE', `${url}/${consumer}`);
    assert.deepEqual([ended.statusCode, ended.json()], [200, { volume: 'main', consumer, removed }]);
  }
  assert.deepEqual((await ask('GET', url)).json(), { leases: [] });
  assert.deepEqual(
    seen.calls.map(({ call, options }) => [call, options]),
    [
      ['lease', { path: 'consumers/x', consumer: 'x', uid: 33, gid: 33, readOnly: false, persistent: true }],
      ['unlease', 'x'],
      ['unlease', 'gone'],
    ],
  );
  const good = { consumer: 'x', uid: 33, gid: 33 };
  const bad = [
    { uid: 0 },
    { gid: 0 },
    { uid: -1 },
    { consumer: '../x' },
    { consumer: '' },
    { path: '' },
    { mode: 'rw' },
  ];
  for (const change of bad) assert.equal((await post({ ...good, ...change })).statusCode, 400, JSON.stringify(change));
  assert.equal(seen.calls.length, 3);
});

test('volumes: grow hands on the size, with a unit or in bytes, and answers with the volume and what grew', async () => {
  seen.calls.length = 0;
  const grown = await ask('POST', '/api/v1/volumes/main/grow?size=2147483648');
  assert.equal(grown.statusCode, 200, grown.body);
  assert.deepEqual(seen.calls, [{ call: 'grow', name: 'main', options: { size: 2147483648 } }]);
  const { volume, grown: what } = grown.json();
  assert.deepEqual([volume.size, volume.growing, what.to, what.filesystem], [2147483648, null, 2147483648, 'grown']);
  await ask('POST', '/api/v1/volumes/main/grow?size=2GiB');
  assert.deepEqual(seen.calls[1], seen.calls[0]);
});

test('volumes: a block device as container, and what on it may be lost; it grows without a size', async () => {
  seen.calls.length = 0;
  const device = '/dev/disk/by-id/ata-X-part1';
  await ask('PUT', `/api/v1/volumes/main?device=${encodeURIComponent(device)}&overwriteSignature=gpt,PMBR`);
  await ask('POST', '/api/v1/volumes/main/grow');
  assert.deepEqual(
    seen.calls.map(({ options }) => options),
    [{ type: 'luks2', open: true, device, overwriteSignatures: ['gpt', 'PMBR'] }, { size: 2147483648 }],
  );
});

test('volumes: sizes with units, and every choice of a new volume', async () => {
  seen.calls.length = 0;
  const query =
    'size=1.5GiB&filesystem=xfs&label=reels&owner=33&group=44&mode=0750&sparse=true&discard=true&keyBits=256&sectorSize=512' +
    '&cipher=aes-xts-plain64&performance=same_cpu_crypt,no_read_workqueue';
  const made = await ask('PUT', `/api/v1/volumes/main?${query}`);
  assert.equal(made.statusCode, 201, made.body);
  assert.deepEqual(seen.calls[0]?.options, {
    ...{ size: 1.5 * 2 ** 30, type: 'luks2', open: true, filesystem: 'xfs', label: 'reels', owner: 33, group: 44 },
    ...{ mode: 0o750, sparse: true, discard: true, keyBits: 256, sectorSize: 512, cipher: 'aes-xts-plain64' },
    performance: ['no_read_workqueue', 'same_cpu_crypt'],
  });
  for (const wrong of [
    'size=x',
    'size=1G&mode=9',
    'size=1G&mode=4755',
    'size=1G&mode=6770',
    'size=1G&performance=fast',
    'size=1G&filesystem=btrfs',
    'size=1G&more=1',
  ])
    assert.equal((await ask('PUT', `/api/v1/volumes/main?${wrong}`)).json().error.code, 'invalid-argument', wrong);
});

const refused: [
  title: string,
  method: 'GET' | 'PUT' | 'POST',
  url: string,
  extra: object,
  status: number,
  code: string,
][] = [
  ['a name with a path', 'GET', '/api/v1/volumes/..%2Fetc', {}, 400, 'invalid-argument'],
  ['a name that is none', 'PUT', '/api/v1/volumes/UPPER?size=1073741824', {}, 400, 'invalid-argument'],
  ['no size', 'PUT', '/api/v1/volumes/x', {}, 400, 'invalid-argument'],
  ['a size and a device', 'PUT', '/api/v1/volumes/x?size=1G&device=/dev/sdz', {}, 400, 'invalid-argument'],
  ['a device elsewhere', 'PUT', '/api/v1/volumes/x?device=/etc/passwd', {}, 400, 'invalid-argument'],
  ['a size that is no number', 'PUT', '/api/v1/volumes/x?size=1q', {}, 400, 'invalid-argument'],
  ['an unknown option', 'PUT', '/api/v1/volumes/x?size=1073741824&passphrase=abc', {}, 400, 'invalid-argument'],
  ['an unknown option of lock', 'POST', '/api/v1/volumes/x/lock?force=true', {}, 400, 'invalid-argument'],
  ['how much more', 'POST', '/api/v1/volumes/x/grow?size=%2B5G', {}, 400, 'invalid-argument'],
  ['an empty passphrase', 'POST', '/api/v1/volumes/x/open', secretBody(''), 400, 'invalid-argument'],
  [
    'a passphrase as JSON',
    'POST',
    '/api/v1/volumes/x/open',
    { payload: { passphrase: 'abc' } },
    400,
    'invalid-argument',
  ],
  [
    'a passphrase too long',
    'POST',
    '/api/v1/volumes/x/open',
    secretBody('x'.repeat(64 * 1024 + 1)),
    413,
    'body-too-large',
  ],
  [
    'another media type',
    'POST',
    '/api/v1/volumes/x/open',
    { headers: { ...signedIn, 'content-type': 'image/png' }, payload: 'x' },
    415,
    'media-type',
  ],
  ['a stream of a reserved name', 'PUT', '/api/v1/streams/api', { payload: {} }, 400, 'invalid-argument'],
  ['an order that is none', 'PUT', '/api/v1/streams/x/recording?mode=maybe', {}, 400, 'invalid-argument'],
  [
    'an order with no end in time',
    'PUT',
    '/api/v1/streams/x/recording?mode=off&until=1e300',
    {},
    400,
    'invalid-argument',
  ],
  [
    'a window at no time of day',
    'PUT',
    '/api/v1/streams/x/schedule',
    { payload: { timeZone: 'UTC', windows: [{ days: ['mon'], from: '25:00', to: '06:00' }] } },
    400,
    'invalid-argument',
  ],
  [
    'gaps of a span that ends before it begins',
    'GET',
    '/api/v1/streams/x/gaps?from=10&to=5',
    {},
    400,
    'invalid-argument',
  ],
  ['an order without a mode', 'PUT', '/api/v1/streams/x/recording', {}, 400, 'invalid-argument'],
  [
    'an order with a reason too long',
    'PUT',
    `/api/v1/streams/x/recording?mode=off&reason=${'r'.repeat(201)}`,
    {},
    400,
    'invalid-argument',
  ],
  ['a buffer too long', 'PUT', '/api/v1/streams/x', { payload: { preRecordSeconds: 301 } }, 400, 'invalid-argument'],
  ['an unknown stream setting', 'PUT', '/api/v1/streams/x', { payload: { colour: 1 } }, 400, 'invalid-argument'],
  [
    'a segment length out of bounds',
    'PUT',
    '/api/v1/streams/x',
    { payload: { segmentMs: 1 } },
    400,
    'invalid-argument',
  ],
  [
    'broken JSON',
    'PUT',
    '/api/v1/streams/x',
    { headers: { ...signedIn, 'content-type': 'application/json' }, payload: '{"marked' },
    400,
    'invalid-argument',
  ],
  ['a ticket that lives too long', 'POST', '/api/v1/streams/x/tickets?lifeSeconds=100000', {}, 400, 'invalid-argument'],
];
for (const [title, method, url, extra, status, code] of refused) {
  test(`refused: ${title}`, async () => {
    const response = await ask(method, url, extra);
    assert.equal(response.statusCode, status, response.body);
    const error = errorOf(response);
    assert.equal(error.code, code);
    assert.equal(response.headers['x-request-id'], (error as unknown as { requestId: string }).requestId);
    assert.equal(response.body.includes('marked'), false);
  });
}

test('streams: list, one, change, delete', async () => {
  assert.equal((await ask('GET', '/api/v1/streams')).json().streams[0].name, 'cam');
  assert.equal((await ask('GET', '/api/v1/streams/cam')).json().segmentMs, 4000);
  const changed = await ask('PUT', '/api/v1/streams/cam', { payload: { segmentMs: 2000, evidence: true } });
  assert.deepEqual(changed.json(), {
    name: 'cam',
    volume: 'main',
    segmentMs: 2000,
    evidence: true,
    preRecordSeconds: 0,
    publishing: false,
    recording: false,
    wanted: { record: true, by: 'always', reason: '', since: null, until: null },
    order: null,
    schedule: null,
    kept: { bytes: 0, since: null },
    session: null,
    failure: null,
  });
  const ordered = await ask('PUT', '/api/v1/streams/cam/recording?mode=off&reason=works&until=1795269600000');
  assert.equal(ordered.statusCode, 200);
  assert.deepEqual(seen.calls.at(-1), {
    call: 'order',
    name: 'cam',
    options: { mode: 'off', reason: 'works', until: 1_795_269_600_000 },
  });
  const schedule = { timeZone: 'UTC', windows: [{ days: ['mon'], from: '22:00', to: '24:00' }] };
  assert.equal((await ask('PUT', '/api/v1/streams/cam/schedule', { payload: schedule })).statusCode, 200);
  assert.deepEqual(seen.calls.at(-1), { call: 'schedule', name: 'cam', options: schedule });
  assert.equal((await ask('DELETE', '/api/v1/streams/cam/schedule')).statusCode, 200);
  assert.deepEqual(seen.calls.at(-1), { call: 'schedule', name: 'cam', options: null });
  const { gaps } = (await ask('GET', '/api/v1/streams/cam/gaps?from=0&to=100')).json();
  assert.deepEqual(gaps, [{ from: 10, to: 20, reasons: ['ordered-off'] }]);
  const deleted = await ask('DELETE', '/api/v1/streams/cam');
  assert.deepEqual([deleted.statusCode, deleted.json()], [200, { name: 'cam', volume: 'main', recordings: 'kept' }]);
});

test('the error of a part reaches the admin whole, with status and details', async () => {
  const busy = new ReelError('volume-busy', {
    expected: 'an unused volume',
    got: 'one in use',
    details: { holders: [{ pid: 7 }] },
  });
  const other = await standIn({
    closing: {
      lock: async () => {
        throw busy;
      },
    },
  });
  const response = await other.app.inject({ method: 'POST', url: '/api/v1/volumes/main/lock', headers: signedIn });
  assert.equal(response.statusCode, 409);
  assert.deepEqual(errorOf(response).details, { holders: [{ pid: 7 }] });
  await other.app.close();
});

test('checks: begun with level, stream and rate, looked at, stopped; a reel recovered', async () => {
  seen.calls.length = 0;
  const begun = await ask('POST', '/api/v1/volumes/main/check?level=bytes&stream=cam&rate=1048576');
  assert.deepEqual([begun.statusCode, begun.json().state], [202, 'running']);
  assert.equal((await ask('POST', '/api/v1/volumes/main/check')).statusCode, 202);
  assert.equal((await ask('GET', '/api/v1/volumes/main/check')).json().state, 'done');
  assert.equal((await ask('DELETE', '/api/v1/volumes/main/check')).json().state, 'stopped');
  const reel = 'dvr/cam/2026/11/21/14.ts';
  assert.equal((await ask('POST', `/api/v1/volumes/main/reels/recover?reel=${reel}`)).json().reel, reel);
  assert.deepEqual(seen.calls, [
    { call: 'check', name: 'main', options: { level: 'bytes', stream: 'cam', bytesPerSecond: 1048576 } },
    { call: 'check', name: 'main', options: { level: 'index', stream: undefined, bytesPerSecond: 64 * 1048576 } },
    { call: 'check stop', name: 'main' },
    { call: 'reel recover', name: 'main', options: { reel } },
  ]);
  for (const query of ['level=deep', 'rate=1000', 'colour=red'])
    assert.equal((await ask('POST', `/api/v1/volumes/main/check?${query}`)).statusCode, 400, query);
});

test('a catalog: looked at, and made anew', async () => {
  seen.calls.length = 0;
  assert.equal((await ask('GET', '/api/v1/volumes/main/catalog')).json().state, 'ready');
  const begun = await ask('POST', '/api/v1/volumes/main/catalog/rebuild');
  assert.deepEqual([begun.statusCode, begun.json().rebuild.reels], [202, 3]);
  assert.deepEqual(seen.calls, [{ call: 'catalog rebuild', name: 'main' }]);
});

test('evidence keys: listed and rotated', async () => {
  seen.calls.length = 0;
  assert.equal((await ask('GET', '/api/v1/archive/evidence-keys')).json().keys[0].publicKey, 'PEM');
  assert.equal((await ask('POST', '/api/v1/archive/evidence-keys/rotate')).json().retiredAt, null);
  assert.deepEqual(seen.calls, [{ call: 'evidence key rotate', name: '' }]);
});
