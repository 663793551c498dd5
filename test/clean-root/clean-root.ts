/**
 * A fresh Debian 12 in a folder, with this repository's committed HEAD cloned into it, entered by chroot: what a user has
 * who starts from nothing. `/root` is 0700 and `/` is no mount point there, as in any chroot.
 */
import { spawn } from 'node:child_process';
import { appendFile, chmod, copyFile, mkdir, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { host } from '../command.ts';

/** Where the clone lies, seen from inside. */
export const cloneAt = '/root/reelvault';
const certificates = '/etc/ssl/certs/ca-certificates.crt';

/** What a login gives, and where TLS clients find the lent certificates on hosts that need that said. */
const environment = (): NodeJS.ProcessEnv => ({
  ...{ HOME: '/root', USER: 'root', LOGNAME: 'root', SHELL: '/bin/bash', TERM: 'dumb', LANG: 'C.UTF-8' },
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  ...Object.fromEntries(
    ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'GIT_SSL_CAINFO', 'CURL_CA_BUNDLE']
      .filter((name) => process.env[name] === certificates)
      .map((name) => [name, certificates]),
  ),
});

export class CleanRoot {
  readonly path: string;
  #closing: Promise<void> | undefined;

  private constructor(at: string) {
    this.path = at;
  }

  /** An empty folder of its own; `close` removes it with whatever `populate` did. */
  static async create(): Promise<CleanRoot> {
    return new CleanRoot(await mkdtemp(path.join(os.tmpdir(), 'rv-clean-root-')));
  }

  /** Unpacks, lends what the host needs to reach its registries, mounts, clones. */
  async populate(tarball: string, repository: string): Promise<void> {
    await chmod(this.path, 0o755);
    await host('tar', ['-xpf', tarball, '-C', this.path, '--exclude=./dev/*'], { timeoutMs: 300_000 });
    for (const file of [certificates, '/etc/hosts', '/etc/resolv.conf'])
      await copyFile(file, path.join(this.path, file));
    await copyFile(path.join(os.homedir(), '.npmrc'), path.join(this.path, 'root/.npmrc')).catch(() => undefined);
    await host('mount', ['-t', 'proc', 'proc', path.join(this.path, 'proc')]);
    await host('mount', ['-t', 'sysfs', 'sysfs', path.join(this.path, 'sys')]);
    await host('mount', ['--bind', '/dev', path.join(this.path, 'dev')]);
    await host('mount', ['--make-private', path.join(this.path, 'dev')]);
    const clone = path.join(this.path, cloneAt);
    await host('git', ['clone', '--quiet', '--depth', '1', `file://${repository}`, clone], { timeoutMs: 300_000 });
  }

  /** Runs a shell command in the clone; its output goes to `log` as it comes. Gives the exit code and the last line of stdout. */
  async run(command: string, log: string): Promise<{ exitCode: number | null; lastLine: string; seconds: number }> {
    await mkdir(path.dirname(log), { recursive: true });
    const started = performance.now();
    const child = spawn('chroot', [this.path, '/bin/bash', '-c', `cd ${cloneAt} && ${command}`], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let tail = '';
    let writes = Promise.resolve();
    const keep = (bytes: Buffer): void => {
      writes = writes.then(() => appendFile(log, bytes));
    };
    child.stdout.on('data', (bytes: Buffer) => {
      tail = (tail + bytes.toString('utf8')).slice(-1_000_000);
      keep(bytes);
    });
    child.stderr.on('data', keep);
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      // `exit`, not `close`: a process that the command left behind may hold the pipes for ever.
      child.once('exit', (code) => setTimeout(() => resolve(code), 200)).once('error', reject);
    });
    child.stdout.destroy();
    child.stderr.destroy();
    await writes;
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    return { exitCode, lastLine: tail.trimEnd().split('\n').at(-1) ?? '', seconds };
  }

  /** What commands left behind, in words: processes in the root, mounts beneath it, loop devices over its files. */
  async leftovers(): Promise<string[]> {
    const own = ['proc', 'sys', 'dev'].map((name) => path.join(this.path, name));
    const mounts = (await this.#mounts()).filter((at) => !own.includes(at)).map((at) => `mount ${at}`);
    const loops = (await host('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE']))
      .split('\n')
      .filter((line) => line.includes(this.path))
      .map((line) => `loop ${line}`);
    const processes = await Promise.all(
      (await this.#processes()).map(
        async (pid) => `process ${pid} ${(await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'ended')).trim()}`,
      ),
    );
    return [...processes, ...loops, ...mounts];
  }

  /** Ends what still runs in the root, detaches, unmounts, removes. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (let round = 0; round < 20; round += 1) {
        const pids = await this.#processes();
        if (pids.length === 0) break;
        for (const pid of pids) process.kill(pid, 'SIGKILL');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      for (const at of (await this.#mounts()).toReversed())
        await host('umount', [at]).catch(() => host('umount', ['-l', at]));
      const loops = await host('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE']);
      for (const line of loops.split('\n').filter((each) => each.includes(this.path)))
        await host('losetup', ['--detach', line.split(/\s/)[0] ?? '']);
      // A mount that stayed would lend `rm` the host's devices.
      const left = await this.#mounts();
      if (left.length > 0) throw new Error(`expected nothing mounted below ${this.path}, got ${left.join(', ')}`);
      // Empty mount points are immutable.
      await host('chattr', ['-R', '-f', '-i', this.path], { timeoutMs: 120_000 }).catch(() => undefined);
      await rm(this.path, { recursive: true, force: true });
    })();
    return this.#closing;
  }

  /** In the order of mounting. */
  async #mounts(): Promise<string[]> {
    const table = await readFile('/proc/self/mountinfo', 'utf8');
    const points = table.split('\n').map((line) => line.split(' ')[4] ?? '');
    return points.filter((at) => at.startsWith(`${this.path}/`));
  }

  async #processes(): Promise<number[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const inside = await Promise.all(
      pids.map(async (pid) => (await readlink(`/proc/${pid}/root`).catch(() => '')).startsWith(this.path)),
    );
    return pids.filter((_, index) => inside[index]);
  }
}
