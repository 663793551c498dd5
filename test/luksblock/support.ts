/** What the tests and the bench of the block plane share: real containers, the real program, loop devices, clean-up. */
import { type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const binary = path.resolve(import.meta.dirname, '../../build/Release/luksblock');

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end; `input` goes to stdin. Never throws for an exit code. */
export const run = async (
  command: string,
  args: readonly string[],
  options: SpawnOptions & { input?: Buffer } = {},
): Promise<Outcome> => {
  const { input, ...rest } = options;
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...rest });
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (bytes: Buffer) => (output.stdout += bytes.toString()));
  child.stderr?.on('data', (bytes: Buffer) => (output.stderr += bytes.toString()));
  child.stdin?.on('error', () => undefined); // a program that refuses early does not read its stdin
  child.stdin?.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, ...output };
};

/** As `run`, but any exit code other than 0 is an error with what the command said. */
export const must = async (
  command: string,
  args: readonly string[],
  options: SpawnOptions & { input?: Buffer } = {},
): Promise<string> => {
  const outcome = await run(command, args, options);
  if (outcome.code !== 0) throw new Error(`${command} ${args.join(' ')}: ${outcome.code}: ${outcome.stderr}`);
  return outcome.stdout.trim();
};

/**
 * qemu-img where it derives a key. It measures the machine by the processor time of a first short derivation and gives up where the
 * kernel's clock of that has not moved ("Unable to get accurate CPU usage"), which says nothing of the work asked for.
 */
export const qemuImg = async (args: readonly string[]): Promise<void> => {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await run('qemu-img', args);
    if (outcome.code === 0) return;
    if (attempt === 20 || !outcome.stderr.includes('accurate CPU usage'))
      throw new Error(`qemu-img ${args.join(' ')}: ${outcome.code}: ${outcome.stderr}`);
  }
};

/** A directory that goes away with `stack`, after everything made later. */
export const temporary = async (stack: AsyncDisposableStack): Promise<string> => {
  const directory = await mkdtemp(path.join(tmpdir(), 'reelvault-luksblock-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  return directory;
};

export const fastPbkdf = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];

export interface Served {
  readonly plain: string;
  readonly mount: string;
  readonly ready: {
    pid: number;
    uuid: string;
    type: string;
    cipher: string;
    keyBits: number;
    sectorSize: number;
    size: number;
    header: string;
  };
  status(): Promise<Status>;
  /** Unmounts and waits for the process to end. */
  close(): Promise<void>;
}

export interface Status {
  readonly pid: number;
  readonly size: number;
  readonly readOnly: boolean;
  readonly directIo: boolean;
  readonly writeLog: boolean;
  readonly unit: number;
  readonly threads: number;
  readonly ioFlusher: boolean;
  readonly memoryLocked: boolean;
  readonly dumpable: boolean;
  readonly refused: Readonly<Partial<Record<'directIo' | 'ioFlusher' | 'memoryLocked' | 'oomScore' | 'grow', string>>>;
  readonly requests: {
    readonly reads: number;
    readonly readBytes: number;
    readonly writes: number;
    readonly writtenBytes: number;
    readonly syncs: number;
  };
  readonly errors: { readonly reads: number; readonly writes: number; readonly syncs: number; readonly last: string };
}

/** Runs luksblock with the key on descriptor 3. */
export const luksblock = async (
  args: readonly string[],
  keyFile: string,
  program = binary,
  env = process.env,
): Promise<Outcome> => {
  const key = openSync(keyFile, 'r');
  try {
    return await run(program, [...args, '--key-fd', '3'], { stdio: ['ignore', 'pipe', 'pipe', key], env });
  } finally {
    closeSync(key);
  }
};

const alive = async (pid: number): Promise<boolean> => {
  // A process whose parent does not collect it stays as a zombie: ended, for us.
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !stat.slice(stat.lastIndexOf(')')).startsWith(') Z');
};

/** Waits until `condition` holds; the error says what was waited for. */
export const until = async (what: string, condition: () => Promise<boolean>): Promise<void> => {
  const end = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited 20 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

export const ended = (pid: number): Promise<void> => until(`process ${pid} to end`, async () => !(await alive(pid)));

/** Serves `container`; unmounted with `stack` at the latest. */
export const serve = async (
  stack: AsyncDisposableStack,
  container: string,
  keyFile: string,
  args: readonly string[] = [],
  program = binary,
  mountPoint?: string,
): Promise<Served> => {
  const mount = mountPoint ?? (await mkdtemp(`${container}.mount-`));
  const outcome = await luksblock(['--container', container, '--mount', mount, ...args], keyFile, program);
  if (outcome.code !== 0) throw new Error(`luksblock: ${outcome.code}: ${outcome.stderr}`);
  const ready = JSON.parse(outcome.stdout) as Served['ready'];
  let open = true;
  const close = async () => {
    if (!open) return;
    open = false;
    const plainUnmount = await run('umount', [mount]);
    if (plainUnmount.code !== 0) await run('umount', ['-l', mount]);
    await ended(ready.pid);
  };
  stack.defer(close);
  return {
    plain: path.join(mount, 'plain'),
    mount,
    ready,
    close,
    status: async () => JSON.parse(await readFile(path.join(mount, 'status'), 'utf8')) as Status,
  };
};

/** A loop device with direct I/O over `file`. */
export const loop = async (
  stack: AsyncDisposableStack,
  file: string,
  sectorSize: number,
  args: readonly string[] = [],
): Promise<string> => {
  const device = await must('losetup', [
    '--find',
    '--show',
    '--direct-io=on',
    '--sector-size',
    String(sectorSize),
    ...args,
    file,
  ]);
  stack.defer(() => detach(device));
  return device;
};

/** Detaches a loop device, if it is attached, and waits until the kernel has let go of its file. */
export const detach = async (device: string): Promise<void> => {
  await run('losetup', ['-d', device]);
  await until(`${device} to detach`, async () => (await run('losetup', [device])).code !== 0);
};

/** Mounts `device` on a new directory `at`. */
export const mountAt = async (
  stack: AsyncDisposableStack,
  device: string,
  at: string,
  options = 'noatime',
): Promise<void> => {
  await mkdir(at, { recursive: true });
  await must('mount', ['-t', 'ext4', '-o', options, device, at]);
  stack.defer(async () => void (await run('umount', [at])));
};

/** Writes `bytes` with mode 0600. */
export const keep = (file: string, bytes: Buffer | string): Promise<void> => writeFile(file, bytes, { mode: 0o600 });
