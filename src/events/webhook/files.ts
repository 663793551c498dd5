/** The files that the settings of the webhook name. They are read by who starts the service: the daemon may look at neither. */
import { X509Certificate } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Settings } from '../../config/settings.ts';
import { ReelError } from '../../errors.ts';
import { parseSecrets } from './signature.ts';

export interface WebhookFiles {
  readonly secrets: Buffer;
  readonly ca: string | null;
}

const maxSecret = 4096;
/** All authorities of a Debian fit. */
const maxCa = 240 * 1024;
/** Of everybody else. */
const publicMode = 0o007;

const refused = (key: string, expected: string, got: string, cause?: unknown): ReelError =>
  new ReelError('config-invalid', { expected: `${expected} for ${key}`, got, cause, details: { key } });

/** A pipe must not hang the start. The caller zeroes the answer. */
const readFile = async (
  file: string,
  key: string,
  maxBytes: number,
  check: (handle: FileHandle) => Promise<void>,
): Promise<Buffer> => {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: NodeJS.ErrnoException) => {
    throw refused(key, 'a file that can be read', `${cause.code ?? cause.message}: ${file}`, cause);
  });
  try {
    const info = await handle.stat();
    if (!info.isFile()) throw refused(key, 'a regular file', file);
    await check(handle);
    const bytes = Buffer.alloc(maxBytes + 1);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    if (bytesRead <= maxBytes) return bytes.subarray(0, bytesRead);
    bytes.fill(0);
    throw refused(key, `at most ${maxBytes} bytes`, `more in ${file}`);
  } finally {
    await handle.close();
  }
};

const readSecrets = async (file: string): Promise<Buffer> => {
  const key = 'REELVAULT_WEBHOOK_SECRET_FILE';
  const secrets = await readFile(file, key, maxSecret, async (handle) => {
    const { mode } = await handle.stat();
    if ((mode & publicMode) === 0) return;
    throw refused(
      key,
      'a file that is closed to others (chmod 0600)',
      `mode ${(mode & 0o7777).toString(8)} of ${file}`,
    );
  });
  try {
    parseSecrets(secrets);
    return secrets;
  } catch (error) {
    secrets.fill(0);
    throw error;
  }
};

const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

const readCa = async (file: string): Promise<string> => {
  const key = 'REELVAULT_WEBHOOK_CA_FILE';
  const pem = (await readFile(file, key, maxCa, async () => undefined)).toString('latin1');
  const certificates = pem.match(certificatePattern) ?? [];
  if (certificates.length === 0) throw refused(key, 'certificates in PEM', `none in ${file}`);
  for (const [index, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch (cause) {
      throw refused(key, 'certificates that can be read', `number ${index + 1} in ${file}, which cannot`, cause);
    }
  }
  return certificates.join('\n');
};

/** Undefined where nothing can be posted. The caller zeroes `secrets`. Throws `config-invalid`. */
export const readWebhookFiles = async (settings: Settings): Promise<WebhookFiles | undefined> => {
  const { webhookSecretFile, webhookCaFile } = settings;
  if (webhookSecretFile === '') return undefined;
  const ca = webhookCaFile === '' ? null : await readCa(webhookCaFile);
  return { secrets: await readSecrets(webhookSecretFile), ca };
};
