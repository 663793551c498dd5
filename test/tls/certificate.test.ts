import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { loadCertificate } from '../../src/tls/store.ts';

const run = promisify(execFile);
const day = 24 * 3600 * 1000;

const setup = async (t: { after: (f: () => Promise<void>) => void }) => {
  const state = await mkdtemp(path.join(os.tmpdir(), 'reelvault-tls-'));
  t.after(() => rm(state, { recursive: true, force: true }));
  return {
    state,
    load: (nowMs = Date.now(), hostname = 'vault-1') => loadCertificate({ state, hostname, now: () => nowMs }),
  };
};

test('openssl agrees: P-256, the names, version 3, an own positive serial, valid for itself', async (t) => {
  const { load } = await setup(t);
  const { certificateFile } = await load();
  const { stdout } = await run('openssl', ['x509', '-in', certificateFile, '-noout', '-text']);
  assert.match(stdout, /ASN1 OID: prime256v1/);
  assert.match(stdout, /Version: 3/);
  assert.match(stdout, /DNS:vault-1, DNS:localhost, IP Address:127\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1/);
  assert.match(stdout, /CA:FALSE/);
  assert.match(stdout, /TLS Web Server Authentication/);
  assert.doesNotMatch(stdout, /\(Negative\)/);
  const verified = await run('openssl', [
    'verify',
    '-CAfile',
    certificateFile,
    '-verify_ip',
    '127.0.0.1',
    certificateFile,
  ]);
  assert.match(verified.stdout, /OK/);
});

test('key and certificate are private files', async (t) => {
  const { state, load } = await setup(t);
  await load();
  for (const name of ['key.pem', 'cert.pem'])
    assert.equal((await stat(path.join(state, 'tls', name))).mode & 0o777, 0o600);
  assert.equal((await stat(path.join(state, 'tls'))).mode & 0o777, 0o700);
});

test('it is kept while it is good, and made anew when run out, unfit or damaged', async (t) => {
  const { state, load } = await setup(t);
  const first = await load();
  assert.equal(first.made, true);
  assert.equal((await load()).fingerprint, first.fingerprint);
  assert.equal((await load(Date.now() + 364 * day)).made, false);
  const second = await load(Date.now() + 366 * day);
  assert.equal(second.made, true);
  assert.notEqual(second.fingerprint, first.fingerprint);
  await writeFile(path.join(state, 'tls/cert.pem'), first.certificate);
  const third = await load();
  assert.equal(third.made, true, 'a certificate that does not fit its key');
  await writeFile(path.join(state, 'tls/key.pem'), 'garbage');
  assert.equal((await load()).made, true, 'a damaged key');
});

test('a host name that DNS cannot carry is left out', async (t) => {
  const { load, state } = await setup(t);
  await load(Date.now(), 'bad_name!');
  const certificate = new X509Certificate(await readFile(path.join(state, 'tls/cert.pem')));
  assert.equal(certificate.subjectAltName, 'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
});
