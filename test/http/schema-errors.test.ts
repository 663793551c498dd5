/** What a request's schema refuses is told in the words of whoever typed it: the field, what was expected, what was got. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { signedIn, standIn } from './support.ts';

const { app } = await standIn();
after(() => app.close());

interface Told {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

const refuse = async (method: 'GET' | 'PUT' | 'POST' | 'DELETE', url: string, body?: object): Promise<Told> => {
  const extra = body === undefined ? {} : { payload: body };
  const response = await app.inject({ method, url: `/api/v1${url}`, headers: signedIn, ...extra });
  assert.equal(response.statusCode, 400, response.body);
  return response.json().error;
};

const lease = { consumer: 'nginx', readOnly: true, uid: 33, gid: 33 };
const cases: [
  title: string,
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  url: string,
  body: object | undefined,
  message: string,
][] = [
  [
    'a name',
    'GET',
    '/volumes/UPPER',
    undefined,
    'Expected "name" in the path to be a name of at most 63 characters of a-z, 0-9, _ and -, the first one a letter or a digit, got "UPPER"',
  ],
  ['a missing value', 'PUT', '/volumes/x', undefined, 'Expected either a size or a device, got neither'],
  [
    'a missing value without a pattern',
    'DELETE',
    '/volumes/x',
    undefined,
    'Expected "confirm" in the query: the name of the volume again, got none',
  ],
  [
    'a size',
    'POST',
    '/volumes/x/grow?size=5Q',
    undefined,
    'Expected "size" in the query to be a size such as 500M, 10G or 1.5TiB, or a number of bytes, got "5Q"',
  ],
  [
    'a whole number',
    'POST',
    '/volumes/x/keys/remove?slot=abc',
    undefined,
    'Expected "slot" in the query to be a whole number, got "abc"',
  ],
  [
    'a number that is too large',
    'POST',
    '/volumes/x/bindings/99/remove',
    undefined,
    'Expected "slot" in the path to be at most 31, got 99',
  ],
  [
    'one of some numbers',
    'PUT',
    '/volumes/x?size=1G&keyBits=7',
    undefined,
    'Expected "keyBits" in the query to be one of 256, 512, got 7',
  ],
  [
    'a field of the body',
    'POST',
    '/volumes/x/leases',
    { ...lease, uid: -1 },
    'Expected "uid" in the body to be at least 1, got -1',
  ],
  ['a body that is no object', 'POST', '/volumes/x/leases', [], 'Expected the body to be an object, got []'],
];
for (const [title, method, url, body, message] of cases) {
  test(`${title}: ${method} ${url}`, async () => {
    const error = await refuse(method, url, body);
    assert.deepEqual([error.code, error.message], ['invalid-argument', message]);
    assert.doesNotMatch(JSON.stringify(error), /params\/|querystring/);
  });
}

test('one of some words: all of them, and what the field is for', async () => {
  const { message, details } = await refuse('POST', '/volumes/x/lock?level=hard');
  assert.match(message, /"level" in the query to be one of lock, drain, slam \(.*\), got "hard"/);
  assert.deepEqual(details, { field: 'level', in: 'query', rule: 'enum' });
});

test('a name that there is not: told with those that there are, and its value is not told', async () => {
  const { message } = await refuse('PUT', '/volumes/x?size=1G&passphrase=marked-word');
  assert.match(message, /in the query nothing but .*type, .*sectorSize.*, got "passphrase"$/);
  assert.doesNotMatch(message, /marked-word/);
});

test('a pattern that has no words of its own is told by what the field is for', async () => {
  const { message } = await refuse('PUT', '/volumes/x?size=1G&performance=fast');
  assert.match(message, /"performance" in the query to be of this kind: switches of dm-crypt.*, got "fast"/);
  assert.doesNotMatch(message, /\^\(/);
});

test('a long value is cut', async () => {
  const { message } = await refuse('PUT', `/volumes/x?size=1G&label=${'x'.repeat(5000)}`);
  assert.ok(message.length < 300, message);
  assert.match(message, /… \(5002 characters\)/);
});
