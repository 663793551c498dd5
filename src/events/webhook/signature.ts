/** Secrets of the webhook and what is signed with them, as https://www.standardwebhooks.com says: its libraries verify it. */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { ReelError } from '../../errors.ts';

/** The second one is there while receivers change over. */
const maxSecrets = 2;
const leastBytes = 16;
const mostBytes = 512;

const wrong = (expected: string, got: string): ReelError =>
  new ReelError('config-invalid', {
    expected,
    got,
    hint: 'make one with: openssl rand -hex 32',
    details: { key: 'REELVAULT_WEBHOOK_SECRET_FILE' },
  });

/** The bytes are the caller's, who zeroes them. */
const secretBytes = (line: Buffer): Buffer => {
  const text = line.toString('latin1');
  if (!text.startsWith('whsec_')) return line;
  const bytes = Buffer.from(text.slice(6), 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') === text.slice(6).replace(/=+$/, '')) return bytes;
  throw wrong('base64 after whsec_ in the file of the webhook’s secret', 'something else');
};

const linesOf = (file: Buffer): Buffer[] => {
  const lines: Buffer[] = [];
  for (let rest = file; rest.length > 0; ) {
    const end = rest.indexOf(0x0a);
    const line = end < 0 ? rest : rest.subarray(0, end);
    const last = line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
    if (last.length > 0) lines.push(last);
    rest = end < 0 ? rest.subarray(rest.length) : rest.subarray(end + 1);
  }
  return lines;
};

/**
 * One secret a line, at most two: its bytes as they stand there, or in base64 after `whsec_`. `file` stays the caller's, who zeroes it.
 * Throws `config-invalid`, which quotes nothing.
 */
export const parseSecrets = (file: Buffer): KeyObject[] => {
  const lines = linesOf(file);
  if (lines.length === 0 || lines.length > maxSecrets) {
    throw wrong('one or two lines in the file of the webhook’s secret', `${lines.length}`);
  }
  return lines.map((line) => {
    const bytes = secretBytes(line);
    try {
      if (bytes.length < leastBytes || bytes.length > mostBytes) {
        throw wrong(`a webhook secret of ${leastBytes} to ${mostBytes} bytes`, `${bytes.length}`);
      }
      return createSecretKey(bytes);
    } finally {
      if (bytes !== line) bytes.fill(0);
    }
  });
};

/** The value of `webhook-signature`: one signature for each secret. `timestamp` in seconds. */
export const sign = (keys: readonly KeyObject[], id: string, timestamp: number, body: string): string =>
  keys.map((key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`).join(' ');
