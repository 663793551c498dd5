/** What the facts about an open volume mean. */
import { sizeText } from '../../config/size.ts';
import { ReelError } from '../../errors.ts';
import type { VolumeReport } from '../../helper/protocol/volume.ts';
import type { VolumeFacts } from '../watch/facts.ts';
import type { Condition } from './conditions.ts';
import { type Limits, largestPart, volumeReserve } from './limits.ts';

/** Without progress for this long is told; the helper's limit, after which it is cut off, is longer. */
const stalledMs = 5000;
/** A pause for space ends when half as much again is free, so that it does not begin and end with each segment. */
const hysteresis = 1.5;
/** The host's filesystem needs some blocks of its own for what it allocates. */
const overhead = 16 * 1024 * 1024;

/** A stream needs a few for an hour: its reel, its index, a signature, directories, and what replaces one of them. */
const fewFiles = 1024;

const mebibytes = (bytes: number): string => `${Math.floor(bytes / 1024 / 1024)} MiB`;

const changed = (expected: string, got: string, hint: string, cut = false): ReelError =>
  new ReelError('container-changed', { expected, got, hint, details: { cut } });

/** The same of a container that is a block device. */
const deviceProblem = (
  { container, uuid, size }: Expected,
  { attachedDevice, host }: VolumeFacts,
): ReelError | undefined => {
  if (attachedDevice === null || host === null) return undefined;
  const expected = `the open container on ${container}`;
  const again = 'connect it again, then lock and open the volume';
  if (host.file === null || attachedDevice === 'gone') return changed(expected, 'no such device', again);
  if (host.device?.number !== attachedDevice) {
    return changed(expected, `another device (${host.device?.number})`, 'lock and open the volume');
  }
  if (uuid !== null && host.device.uuid !== uuid) {
    const found = host.device.uuid === null ? 'no LUKS header' : `the header of ${host.device.uuid}`;
    const hint = 'somebody writes to the device: find out who; then lock the volume and restore its header';
    return changed(`the header of ${uuid} on ${container}`, found, hint);
  }
  return size !== null && host.file.size < size ? cutOff(container, size, host.file.size) : undefined;
};

const cutOff = (container: string, size: number, now: number): ReelError => {
  const hint = 'what was cut off is lost: lock the volume, restore the file from a backup';
  return changed(`${sizeText(size)} in ${container}`, sizeText(now), hint, true);
};

/** What is known of the container of an open volume. */
export interface Expected {
  readonly container: string;
  readonly uuid: string | null;
  readonly size: number | null;
  readonly isDevice: boolean;
}

/** Why the container is no longer the file that is attached; undefined when it is, or nothing can be said of it. */
export const containerProblem = (of: Expected, facts: VolumeFacts): ReelError | undefined => {
  if (of.isDevice) return deviceProblem(of, facts);
  const { container, size } = of;
  const { attachedFile, host } = facts;
  if (attachedFile === null || host === null) return undefined;
  const expected = `the open container at ${container}`;
  const deleted = / \(deleted\)$/.test(attachedFile);
  if (attachedFile !== container) {
    const now = deleted ? 'it was deleted' : `it is at ${attachedFile} now`;
    const got = host.file === null ? 'no file' : 'another file';
    const hint = deleted
      ? `it exists only as long as the volume is attached: do not lock it, copy /proc/${facts.plane?.pid ?? '<pid>'}/fd/… of its block plane to ${container}`
      : `move it back; recording goes on by itself`;
    return changed(expected, `${got}: ${now}`, hint);
  }
  return size !== null && host.file !== null && host.file.size < size
    ? cutOff(container, size, host.file.size)
    : undefined;
};

/** Why the volume is no longer open. */
export const lossOf = (of: Expected, report: VolumeReport, facts: VolumeFacts): ReelError | undefined => {
  const { name, mount, plane } = facts;
  if (plane?.abortedAfterMs !== undefined && plane.abortedAfterMs !== null) {
    return new ReelError('storage-hung', {
      expected: `the block plane of ${name} to answer`,
      got: `nothing done for ${plane.abortedAfterMs} ms while requests waited; it was cut off`,
      hint: 'look at the disk below the container, then open the volume again',
    });
  }
  if (plane?.state === 'gone') {
    return new ReelError('block-plane-died', {
      expected: `the block plane of ${name} to run`,
      got: 'no such process',
      hint: 'open the volume again: that cleans up, checks the filesystem and mounts it',
    });
  }
  if (mount === null || !mount.own) {
    const got = mount === null ? 'nothing mounted' : `another device (${mount.device}) mounted`;
    return new ReelError('volume-state', {
      expected: `${name} to stay mounted at ${report.mountPoint}`,
      got,
      hint: 'lock the volume to clean up, then open it again',
    });
  }
  if (mount.readOnly !== null && report.access !== 'readOnly') {
    return new ReelError('io-error', { expected: `${name} to take writes`, got: mount.readOnly });
  }
  return containerProblem(of, facts);
};

export type Found = Omit<Condition, 'since'>;

/** A container whose blocks are not all there yet needs space from the host: at most what it lacks. */
const hostSpace = (
  { host, name }: VolumeFacts,
  paused: boolean,
  { hostReserve: reserve }: Limits,
): Found | undefined => {
  const missing = host?.file == null ? 0 : host.file.size - host.file.allocated;
  if (host === null || missing <= 0) return undefined;
  const wanted = Math.min(reserve, missing + overhead) * (paused ? hysteresis : 1);
  if (host.free >= wanted) return undefined;
  return {
    kind: 'host-space',
    message: `${mebibytes(host.free)} are free below the sparse container of ${name}, which may still need ${mebibytes(missing)}`,
    nextStep: `free at least ${mebibytes(Math.min(reserve, missing + overhead) * hysteresis)} there; recording goes on by itself`,
    pausesRecording: true,
  };
};

const volumeSpace = ({ room, name }: VolumeFacts, paused: boolean, limits: Limits): Found | undefined => {
  if (room === null) return undefined;
  const factor = paused ? hysteresis : 1;
  const reserve = volumeReserve(name, room.capacity, limits);
  const files = Math.min(fewFiles, Math.floor(room.files / largestPart));
  const isFull = room.available < reserve * factor;
  if (!isFull && room.filesFree >= files * factor) return undefined;
  const free = isFull
    ? `${mebibytes(room.available)} of ${mebibytes(room.capacity)} are free`
    : `${room.filesFree} more files fit`;
  const wanted = isFull ? mebibytes(Math.ceil(reserve * hysteresis)) : `${Math.ceil(files * hysteresis)} files`;
  return {
    kind: 'volume-space',
    message: `${free} in ${name}; recording pauses before its writes fail`,
    nextStep: `recording goes on by itself when ${wanted} are free: \`reelvault archive thin\`, a rule (\`archive retention set\`) or \`volume grow\``,
    pausesRecording: true,
  };
};

const stalled = ({ plane, name }: VolumeFacts): Found | undefined => {
  if (plane === null || plane.stalledMs < stalledMs) return undefined;
  return {
    kind: 'storage-stalled',
    message: `the block plane of ${name} ${plane.state === 'stopped' ? 'is stopped' : 'does nothing'} while requests wait`,
    nextStep: 'look at the disk below the container; the plane is cut off if it goes on',
    pausesRecording: false,
  };
};

const filesystemErrors = ({ mount, name }: VolumeFacts): Found | undefined => {
  if (mount?.errors == null || mount.errors.count === 0) return undefined;
  const { count, where } = mount.errors;
  return {
    kind: 'filesystem-errors',
    message: `the filesystem of ${name} counted ${count} error${count === 1 ? '' : 's'}, the last in ${where}`,
    nextStep: 'lock and open the volume: that checks the filesystem',
    pausesRecording: false,
  };
};

/** `error`: why a part of the service could not take the open volume into use. */
export const unusable = (name: string, error: ReelError): Found => ({
  kind: 'unusable',
  message: `a part of the service cannot use ${name}: ${error.parts.expected}: ${error.parts.got}`,
  nextStep: error.parts.hint ?? 'see the log of the service, then lock and open the volume',
  pausesRecording: true,
});

/** What is wrong with a volume that stays open. `held`: what was wrong before. Where nothing is known of a space now, what was known holds. */
export const conditionsOf = (facts: VolumeFacts, held: readonly Found[], limits: Limits): Found[] => {
  const former = (kind: Found['kind']): Found | undefined => held.find((found) => found.kind === kind);
  return [
    facts.host === null ? former('host-space') : hostSpace(facts, former('host-space') !== undefined, limits),
    facts.mount?.readOnly != null || facts.room === null
      ? former('volume-space')
      : volumeSpace(facts, former('volume-space') !== undefined, limits),
    stalled(facts),
    filesystemErrors(facts),
  ].filter((found) => found !== undefined);
};
