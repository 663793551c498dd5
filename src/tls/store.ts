/** Keeps the host's certificate in `<state>/tls`: made at the first start, made anew when it has run out or does not fit its key. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { replacePrivateFile } from '../config/private-file.ts';
import { type KeyPair, makeCertificate } from './certificate.ts';

export interface HostCertificate extends KeyPair {
  /** Where clients of this host find the certificate to trust. */
  readonly certificateFile: string;
  /** SHA-256 over the DER form, in the notation of browsers and `openssl x509 -fingerprint`. */
  readonly fingerprint: string;
  readonly made: boolean;
}

const readPair = async (keyFile: string, certificateFile: string): Promise<KeyPair | undefined> => {
  try {
    const [key, certificate] = await Promise.all([readFile(keyFile, 'utf8'), readFile(certificateFile, 'utf8')]);
    return { key, certificate };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

/** A stop between the two writes of a renewal leaves a key and a certificate that do not fit: such a pair counts as absent. */
const usable = (pair: KeyPair, nowMs: number): boolean => {
  try {
    const certificate = new X509Certificate(pair.certificate);
    return certificate.checkPrivateKey(createPrivateKey(pair.key)) && certificate.validToDate.getTime() > nowMs;
  } catch {
    return false;
  }
};

export const loadCertificate = async (params: {
  readonly state: string;
  readonly hostname: string;
  readonly now: () => number;
}): Promise<HostCertificate> => {
  const directory = path.join(params.state, 'tls');
  const keyFile = path.join(directory, 'key.pem');
  const certificateFile = path.join(directory, 'cert.pem');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  let pair = await readPair(keyFile, certificateFile);
  const made = pair === undefined || !usable(pair, params.now());
  if (pair === undefined || made) {
    pair = await makeCertificate(params.hostname, params.now());
    await replacePrivateFile(keyFile, pair.key);
    await replacePrivateFile(certificateFile, pair.certificate);
  }
  return { ...pair, certificateFile, made, fingerprint: new X509Certificate(pair.certificate).fingerprint256 };
};
