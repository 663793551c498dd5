/**
 * What is native, typed (`native/addon.ts` loads it). JavaScript validates here; native code trusts what it is given.
 * Each area of the addon has its typed functions in a section of its own.
 */
import { fsync } from 'node:fs';
import os from 'node:os';
import { promisify } from 'node:util';
import { addon as loaded } from './native/addon.ts';

export * from './native/body-readers.ts';
export * from './native/playlist.ts';
export * from './native/recovery.ts';
export * from './native/segment-writer.ts';
export * from './native/standby.ts';

interface Addon {
  crc32c(bytes: Uint8Array, crc: number): number;
  readCached(fd: number, into: Uint8Array, position: number): number;
  openBeneath(dirFd: number, crossMounts: boolean, path: string, flags: number, mode: number): number;
  mkdirBeneath(dirFd: number, crossMounts: boolean, path: string, mode: number): void;
  unlinkBeneath(dirFd: number, crossMounts: boolean, path: string, isDirectory: boolean): void;
  renameBeneath(dirFd: number, crossMounts: boolean, from: string, to: string, noReplace: boolean): void;
  statBeneath(dirFd: number, crossMounts: boolean, path: string): BeneathStat;
  listBeneath(dirFd: number, crossMounts: boolean, path: string): DirectoryEntry[];
  forbidDumps(): void;
  pidfdOpen(pid: number): number;
  pidfdSignal(fd: number, signal: number): boolean;
  peerCredentials(fd: number): PeerCredentials;
  sendWithFd(socketFd: number, bytes: Uint8Array, fd: number, timeoutMs: number): void;
  callUnixSocket(path: string, bytes: Uint8Array, maxReply: number, timeoutMs: number): Promise<UnixReply>;
}

const addon = loaded as Addon;

const descriptor = (fd: number): number => {
  if (Number.isInteger(fd) && fd >= 0 && fd < 2 ** 31) return fd;
  throw new TypeError(`Expected a descriptor, got ${fd}`);
};

const milliseconds = (value: number): number => {
  if (Number.isFinite(value) && value > 0) return Math.ceil(value);
  throw new TypeError(`Expected a number of milliseconds above 0, got ${value}`);
};

// Checksums

/** CRC-32C (RFC 3720 appendix B.4) of `bytes`; pass the former result as `crc` to go on over several pieces. */
export const crc32c = (bytes: Uint8Array, crc = 0): number => addon.crc32c(bytes, crc);

// The page cache

/**
 * Fills `into` with what the page cache holds of the file from `position` on, and answers how many bytes that is; -1 where it holds none, or cannot
 * tell: then an ordinary read does it. Never waits for a disk. A thread of the pool costs more than such a read, on a busy machine hundreds
 * of times as much.
 */
export const readCached = (fd: number, into: Uint8Array, position: number): number =>
  addon.readCached(descriptor(fd), into, position);

// The jail: paths below a directory descriptor, walked by the kernel, which refuses to leave (EXDEV) or to follow a link (ELOOP).
// Failures are Errors with `code`, `errno`, `syscall` and `path`, as those of node:fs.

export interface BeneathOptions {
  /** False refuses (EXDEV) a mount below the directory. Default true: an admin may mount a disk inside the datapath. */
  readonly crossMounts?: boolean;
}

export type EntryType = 'file' | 'directory' | 'symlink' | 'other';

export interface DirectoryEntry {
  readonly name: string;
  readonly type: EntryType;
}

export interface BeneathStat {
  readonly type: EntryType;
  /** Bytes. */
  readonly size: number;
  /** Bytes that the filesystem has set aside for it. */
  readonly allocated: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly dev: number;
  readonly ino: number;
  readonly links: number;
  readonly mtimeMs: number;
}

const crossing = (options: BeneathOptions): boolean => options.crossMounts ?? true;

/** Opens `path` (flags of `fs.constants`; close-on-exec is added) and returns a descriptor that the caller closes. */
export const openBeneath = (
  dirFd: number,
  path: string,
  flags: number,
  mode = 0,
  options: BeneathOptions = {},
): number => addon.openBeneath(descriptor(dirFd), crossing(options), path, flags, mode);

/** Makes the directory and its parents; those that are there already are fine. */
export const mkdirBeneath = (dirFd: number, path: string, mode: number, options: BeneathOptions = {}): void =>
  addon.mkdirBeneath(descriptor(dirFd), crossing(options), path, mode);

export const unlinkBeneath = (dirFd: number, path: string, isDirectory = false, options: BeneathOptions = {}): void =>
  addon.unlinkBeneath(descriptor(dirFd), crossing(options), path, isDirectory);

/** Renames; with `noReplace` an existing target is refused (EEXIST) in the same step. */
export const renameBeneath = (
  dirFd: number,
  from: string,
  to: string,
  noReplace = false,
  options: BeneathOptions = {},
): void => addon.renameBeneath(descriptor(dirFd), crossing(options), from, to, noReplace);

/** Tells about `path`; a symbolic link as its last part is told as such and not followed. */
export const statBeneath = (dirFd: number, path: string, options: BeneathOptions = {}): BeneathStat =>
  addon.statBeneath(descriptor(dirFd), crossing(options), path);

export const listBeneath = (dirFd: number, path: string, options: BeneathOptions = {}): DirectoryEntry[] =>
  addon.listBeneath(descriptor(dirFd), crossing(options), path);

/** Makes a file, or the entries of a directory, durable. Off the main thread: it can take seconds. */
export const syncFd: (fd: number) => Promise<void> = promisify(fsync);

// The process

/**
 * No core dump of this process, and no look into its memory by others of the same user (prctl PR_SET_DUMPABLE). Every execve puts it back, so
 * each process that holds keys calls this first; a program it starts is not covered.
 */
export const forbidDumps = (): void => addon.forbidDumps();

/**
 * A descriptor for the process `pid`, which the caller closes; -1 where there is none. It goes on meaning this very process when the number
 * has become another one's.
 */
export const pidfdOpen = (pid: number): number => {
  if (Number.isInteger(pid) && pid > 0 && pid < 2 ** 31) return addon.pidfdOpen(pid);
  throw new TypeError(`Expected a process id, got ${pid}`);
};

/** False where the process has ended. */
export const pidfdSignal = (fd: number, signal: 'SIGTERM' | 'SIGKILL'): boolean =>
  addon.pidfdSignal(descriptor(fd), os.constants.signals[signal]);

// Descriptor passing over unix stream sockets

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export interface UnixReply {
  readonly reply: Buffer;
  /** The descriptor that came with the reply, now the caller's to close; -1 for none. */
  readonly fd: number;
}

/** Most bytes of a reply. */
const maxReply = 16 * 1024 * 1024;

/** Who connected, as the kernel noted it at connect(). */
export const peerCredentials = (fd: number): PeerCredentials => addon.peerCredentials(descriptor(fd));

/**
 * Sends all of `bytes` with `fd` (-1 for none; it stays open here) on the first byte. Waits on the main thread while the socket is
 * full, at most `timeoutMs`: meant for short answers to one local peer.
 */
export const sendWithFd = (socketFd: number, bytes: Uint8Array, fd: number, timeoutMs = 5_000): void => {
  if (bytes.length === 0) throw new TypeError('Expected at least one byte to send, got none');
  addon.sendWithFd(descriptor(socketFd), bytes, fd === -1 ? fd : descriptor(fd), milliseconds(timeoutMs));
};

/**
 * Connects, sends `bytes`, reads to the end; at most 16 MiB (EMSGSIZE) and `timeoutMs` (ETIMEDOUT). Further descriptors than one are
 * closed. The bytes are copied, the copy is wiped; the caller may wipe `bytes` as soon as this returns.
 */
export const callUnixSocket = (path: string, bytes: Uint8Array, timeoutMs: number): Promise<UnixReply> => {
  if (path.length === 0 || Buffer.byteLength(path) > 107 || path.includes('\0')) {
    throw new TypeError(`Expected a socket path of 1 to 107 bytes, got ${JSON.stringify(path)}`);
  }
  return addon.callUnixSocket(path, bytes, maxReply, milliseconds(timeoutMs));
};
