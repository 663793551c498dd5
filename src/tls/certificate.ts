/** The self-signed certificate of this host: ECDSA P-256, for the host's name and the loopback addresses. */
// @peculiar/x509 resolves its parts through this metadata; it must be loaded first.
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

export interface KeyPair {
  /** PEM, PKCS #8. */
  readonly key: string;
  /** PEM. */
  readonly certificate: string;
}

/** Browsers accept a longer life for a certificate that the user installs; a year keeps the clock errors of recorders harmless. */
const lifeMs = 365 * 24 * 3600 * 1000;
/** Backdated, so that a client whose clock is somewhat behind does not refuse it. */
const backdateMs = 24 * 3600 * 1000;

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const hostPattern = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/** `nowMs` is Unix time. A host name that DNS could not carry is left out of the names. */
export const makeCertificate = async (hostname: string, nowMs: number): Promise<KeyPair> => {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const dns = [...new Set([hostname, 'localhost'])].filter((name) => hostPattern.test(name));
  // The sign bit must be clear: DER integers are signed and a serial number is positive (RFC 5280 section 4.1.2.2).
  const serial = randomBytes(16);
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial.toString('hex'),
      name: [{ CN: [dns[0] ?? 'localhost'] }],
      notBefore: new Date(nowMs - backdateMs),
      notAfter: new Date(nowMs + lifeMs),
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([
          ...dns.map((value) => ({ type: 'dns' as const, value })),
          ...['127.0.0.1', '::1'].map((value) => ({ type: 'ip' as const, value })),
        ]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto,
  );
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  try {
    return { key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'), certificate: certificate.toString('pem') };
  } finally {
    pkcs8.fill(0);
  }
};
