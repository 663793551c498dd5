/** The files of the webhook's settings. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { defaultSettings, type Settings } from '../../../src/config/settings.ts';
import { handOver, takeOver } from '../../../src/daemon/hand-over.ts';
import type { ReelError } from '../../../src/errors.ts';
import { readWebhookFiles } from '../../../src/events/webhook/files.ts';
import { makeCertificate } from '../../../src/tls/certificate.ts';

describe('webhook files', () => {
  let folder: string;
  let secret: string;
  let authorities: string;
  let pem: string;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'rv-files-'));
    secret = path.join(folder, 'secret');
    authorities = path.join(folder, 'ca.pem');
    const made = await Promise.all(['one', 'two'].map((name) => makeCertificate(name, Date.now())));
    pem = made.map(({ certificate }) => certificate.trim()).join('\n');
    await writeFile(secret, 'marked-0123456789\n', { mode: 0o600 });
    await writeFile(authorities, `# ours\n${pem}\nremarks\n`);
  });
  after(() => rm(folder, { recursive: true }));

  const read = (changes: Partial<Settings> = {}) =>
    readWebhookFiles({
      ...defaultSettings,
      webhookUrls: ['https://a/'],
      webhookSecretFile: secret,
      webhookCaFile: authorities,
      ...changes,
    });
  const refused = async (changes: Partial<Settings>, key: string, got: RegExp): Promise<void> => {
    await assert.rejects(read(changes), (error: ReelError) => {
      assert.equal(error.code, 'config-invalid');
      assert.equal(error.details.key, key);
      assert.match(error.message, got);
      assert.doesNotMatch(error.message, /marked/);
      return true;
    });
  };

  test('without a secret nothing can be posted; receivers may be named later', async () => {
    assert.equal(await read({ webhookUrls: [], webhookSecretFile: '', webhookCaFile: '/nowhere' }), undefined);
    assert.equal((await read({ webhookUrls: [] }))?.ca, pem);
  });

  test('the secret comes as it stands there, of the authorities only the certificates', async () => {
    const files = await read();
    assert.equal(files?.secrets.toString(), 'marked-0123456789\n');
    assert.equal(files?.ca, pem);
    assert.equal((await read({ webhookCaFile: '' }))?.ca, null);
    // As many bytes as all that a Debian trusts.
    const many = path.join(folder, 'many.pem');
    await writeFile(many, `${pem}\n`.repeat(Math.ceil(220_000 / (pem.length + 1))));
    const { ca, secrets } = (await read({ webhookCaFile: many })) ?? assert.fail();
    const input = new PassThrough();
    input.end(handOver({ ca, secrets }));
    assert.equal((await takeOver(input)).ca, ca);
  });

  test('a secret that others may read or write, or that is none, is refused', async () => {
    const key = 'REELVAULT_WEBHOOK_SECRET_FILE';
    for (const mode of [0o604, 0o602]) {
      await chmod(secret, mode);
      await refused({}, key, /chmod 0600/);
    }
    await chmod(secret, 0o640);
    assert.ok(await read(), 'a group may be the receiver’s');
    await refused({ webhookSecretFile: `${folder}/none` }, key, /ENOENT/);
    await refused({ webhookSecretFile: folder }, key, /regular file/);
    const other = path.join(folder, 'other');
    await writeFile(other, '', { mode: 0o600 });
    await refused({ webhookSecretFile: other }, key, /one or two lines/);
    await writeFile(other, 'marked!\n');
    await refused({ webhookSecretFile: other }, key, /16 to 512 bytes/);
    await writeFile(other, 'marked'.repeat(1000));
    await refused({ webhookSecretFile: other }, key, /at most 4096 bytes/);
  });

  test('a pipe is refused at once: nobody may ever write into it', async () => {
    const pipe = path.join(folder, 'pipe');
    execFileSync('mkfifo', ['-m', '0600', pipe]);
    await refused({ webhookSecretFile: pipe }, 'REELVAULT_WEBHOOK_SECRET_FILE', /regular file/);
  });

  test('authorities that are none are refused, and the broken one is named', async () => {
    const key = 'REELVAULT_WEBHOOK_CA_FILE';
    const other = path.join(folder, 'other.pem');
    await writeFile(other, 'hello');
    await refused({ webhookCaFile: other }, key, /certificates in PEM/);
    await writeFile(other, `${pem}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`);
    await refused({ webhookCaFile: other }, key, /number 3 in/);
  });
});
