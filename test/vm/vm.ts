/**
 * A virtual machine with a real dm-crypt kernel, emulated in software: it needs neither KVM nor device-mapper on the host.
 * The guest sees the host's root read-only (its own writes go to memory), `/exchange` shared with the host for writing,
 * `/scratch` as an ext4 disk of its own, and the given files as `/dev/disk/<name>`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { host } from '../command.ts';
import { type CommandResult, GuestChannel } from './channel.ts';
import { buildInitramfs } from './initramfs.ts';
import { fetchKernel, type Kernel } from './kernel.ts';

export interface Disk {
  /** A raw file of the host; the guest finds it at `/dev/disk/<name>`. */
  readonly file: string;
  /** `discard`: the guest may write and the file stays as it is. `write`: it is changed. */
  readonly mode: 'read-only' | 'discard' | 'write';
}

export interface VmParams {
  readonly disks?: Readonly<Record<string, Disk>>;
  readonly memoryMiB?: number;
  /** Size of the guest's own disk at /scratch; it takes space on the host only as it is written. */
  readonly scratchMiB?: number;
  readonly bootTimeoutMs?: number;
}

const virtiofsd = '/usr/lib/qemu/virtiofsd';
const qemu = '/usr/bin/qemu-system-x86_64';

/** The first thing a virtual machine lacks here, in words, or undefined when it can start. Fetches the kernel on the way. */
export const missingForVm = async (): Promise<string | undefined> => {
  if (process.getuid?.() !== 0) return 'root (virtiofsd shares the whole root)';
  if (process.arch !== 'x64') return `an x86-64 host (this is ${process.arch})`;
  for (const tool of [qemu, virtiofsd, '/bin/busybox', '/sbin/depmod']) if (!existsSync(tool)) return tool;
  return fetchKernel().then(
    () => undefined,
    (error: unknown) => `Debian's cloud kernel (${(error as Error).message.split('\n')[0]})`,
  );
};

export class Vm {
  /** The host's side of the guest's `/exchange`. */
  readonly exchange: string;
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];
  #console = '';
  /** What QEMU and the file servers say, apart: where the guest dies they say a lot, behind what its kernel said. */
  #programs = '';
  #channel: GuestChannel | undefined;
  #closing: Promise<void> | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
    this.exchange = path.join(folder, 'exchange');
  }

  /** Boots and waits for the guest's shell. Throws with the end of the console when it does not come up. */
  static async start(params: VmParams = {}): Promise<Vm> {
    const kernel = await fetchKernel();
    const vm = new Vm(await mkdtemp(path.join(os.tmpdir(), 'rv-vm-')));
    try {
      await vm.#boot(kernel, params);
      return vm;
    } catch (error) {
      await vm.close();
      throw error;
    }
  }

  /**
   * Runs a shell command as root in the guest, one at a time. A command that takes longer than `timeoutMs` of the guest's
   * time is killed there and gives exit code 124; a guest that does not answer at all throws with the console's end.
   */
  async run(command: string, options: { timeoutMs?: number } = {}): Promise<CommandResult> {
    if (this.#channel === undefined) throw new Error('the virtual machine is closed');
    return this.#channel.run(command, options.timeoutMs ?? 60_000);
  }

  /** `run`, for commands that must succeed: gives stdout, throws with stderr otherwise. */
  async check(command: string, options: { timeoutMs?: number } = {}): Promise<string> {
    const { stdout, stderr, exitCode } = await this.run(command, options);
    if (exitCode !== 0) throw new Error(`in the guest, \`${command}\` ended with ${exitCode}: ${stderr}${stdout}`);
    return stdout;
  }

  /** The last lines that QEMU and the file servers printed, and those of the guest's kernel: a panic with its whole trace. */
  consoleTail(): string {
    return `${this.#programs.slice(-2000)}${this.#console.slice(-8000)}`;
  }

  /** Ends the machine and its file servers by process id and removes its folder. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#channel?.close();
      this.#channel = undefined;
      for (const child of this.#children.toReversed()) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await ended;
      }
      await rm(this.#folder, { recursive: true, force: true });
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #boot(kernel: Kernel, params: VmParams): Promise<void> {
    const at = (name: string): string => path.join(this.#folder, name);
    await host('mkdir', [this.exchange]);
    const disks: Record<string, Disk> = { ...params.disks, scratch: { file: at('scratch.img'), mode: 'write' } };
    await host('truncate', ['-s', `${params.scratchMiB ?? 2048}M`, at('scratch.img')]);
    await host('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=1,nodiscard', at('scratch.img')]);
    await buildInitramfs(kernel, at('initramfs'));
    this.#share(at('root.sock'), '/', 'always');
    this.#share(at('exchange.sock'), this.exchange, 'none');
    const memory = params.memoryMiB ?? 1536;
    const machine = this.#spawn(qemu, [
      // One processor: with two, code that V8 changes on one is now and then run as it was on the other (SIGSEGV in the guest's Node). No
      // protection keys: V8 changes them with each piece of code it makes, and each time the emulator forgets all address translations.
      ...['-accel', 'tcg,thread=multi', '-cpu', 'max,-pku,-la57', '-smp', '1', '-m', `${memory}M`],
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
      // The file servers read the guest's memory, so it must be shared.
      ...['-object', `memory-backend-memfd,id=memory,size=${memory}M,share=on`, '-numa', 'node,memdev=memory'],
      ...['-kernel', kernel.image, '-initrd', at('initramfs')],
      // no_timer_check: on a loaded host the emulated timer is late, which the kernel would take for one that does not work, and panic.
      ...['-append', 'console=ttyS0 panic=-1 loglevel=5 random.trust_cpu=on mitigations=off nokaslr no_timer_check'],
      ...['root', 'exchange'].flatMap((name) => [
        ...['-chardev', `socket,id=${name},path=${at(`${name}.sock`)}`],
        ...['-device', `vhost-user-fs-pci,chardev=${name},tag=${name === 'root' ? 'hostroot' : name}`],
      ]),
      ...[
        '-device',
        'virtio-serial-pci',
        '-chardev',
        `socket,id=commands,path=${at('commands.sock')},server=on,wait=off`,
      ],
      ...['-device', 'virtserialport,chardev=commands,name=commands'],
      ...['-device', 'virtio-rng-pci'],
      ...Object.entries(disks).flatMap(([name, disk]) => [
        '-drive',
        `file=${disk.file.replaceAll(',', ',,')},format=raw,if=none,id=disk-${name},cache=writeback,readonly=${
          disk.mode === 'read-only' ? 'on' : 'off'
        },snapshot=${disk.mode === 'discard' ? 'on' : 'off'}`,
        ...['-device', `virtio-blk-pci,drive=disk-${name},serial=${name}`],
      ]),
    ]);
    machine.stdout?.setEncoding('latin1').on('data', (text: string) => {
      this.#console = (this.#console + text).slice(-20_000);
    });
    const channel = new GuestChannel({ file: at('commands.sock'), machine, consoleTail: () => this.consoleTail() });
    this.#channel = channel;
    await channel.ready(params.bootTimeoutMs ?? 120_000);
  }

  #share(socket: string, source: string, cache: 'always' | 'none'): void {
    const options = [`source=${source}`, `cache=${cache}`, 'sandbox=chroot'].flatMap((option) => ['-o', option]);
    this.#spawn(virtiofsd, [`--socket-path=${socket}`, ...options]);
  }

  /** Children die with this process even when it is killed: nothing is left to hold disks or memory. */
  #spawn(file: string, args: string[]): ChildProcess {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#programs = `${this.#programs}${path.basename(file)}: ${text}`.slice(-20_000);
    });
    child.once('error', (error) => {
      this.#programs += `${file}: ${error.message}\n`;
    });
    this.#children.push(child);
    return child;
  }
}
