/** The LUKS forms that both engines must agree on, and how tests make them: quick key derivation, random key file. */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface LuksForm {
  readonly name: string;
  readonly type: 'luks1' | 'luks2';
  readonly sectorSize: 512 | 4096;
  readonly keyBits: 256 | 512;
}

export const luksForms: readonly LuksForm[] = [
  { name: 'luks1', type: 'luks1', sectorSize: 512, keyBits: 512 },
  { name: 'luks1-256', type: 'luks1', sectorSize: 512, keyBits: 256 },
  { name: 'luks2-512', type: 'luks2', sectorSize: 512, keyBits: 512 },
  { name: 'luks2-4096', type: 'luks2', sectorSize: 4096, keyBits: 512 },
];

export const containerMiB = 48;

/** Arguments of cryptsetup; the iteration count makes a keyslot that is only fit for tests. */
export const formatArguments = (form: LuksForm, device: string, keyFile: string): string[] => [
  ...['luksFormat', '-q', '--type', form.type, '--cipher', 'aes-xts-plain64', '--key-size', String(form.keyBits)],
  ...['--hash', 'sha256', '--pbkdf-force-iterations', '1000', '--key-file', keyFile],
  // LUKS1 knows one sector size and refuses the option.
  ...(form.type === 'luks2' ? ['--pbkdf', 'pbkdf2', '--sector-size', String(form.sectorSize)] : []),
  device,
];

/** Files whose sizes lie on and beside the edges of sectors, pages and blocks, with random bytes. */
export const writeFiles = async (folder: string): Promise<void> => {
  await mkdir(path.join(folder, 'deep/er'), { recursive: true });
  for (const size of [0, 1, 511, 512, 4095, 4096, 4097, 1_048_583])
    await writeFile(path.join(folder, 'deep/er', `${size}.bin`), randomBytes(size));
};

/** Shell text, the same on both sides: SHA-256 of every file below `folder`, in one order. */
export const sums = (folder: string): string =>
  `cd '${folder}' && find . -type f | LC_ALL=C sort | xargs -d '\\n' sha256sum`;
