import { existsSync } from 'node:fs';
import { ReelError, toReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';
import type { EngineProbe } from '../../helper/protocol/machine.ts';
import type { Luks } from '../../luks/luks.ts';
import { withUndo } from '../undo.ts';
import { type Attachment, type AttachOptions, type ContainerFile, type Engine, sameUuid } from './engine.ts';
import { attachedLoops, attachLoop, detachLoop, type Loop, refreshLoop } from './loop.ts';
import { failSuspended, findMapping, type Mapping } from './mapping.ts';
import { mappingName } from './mapping-name.ts';
import { checkPerformance } from './performance.ts';
import { endOnlineRewriters, findRewriters } from './rewriter.ts';
import { udevEnvironment } from './udev-environment.ts';

const probeTimeoutMs = 30_000;

/** What a reencryption was working with is there, and nobody works: its last piece is torn, and whoever wants that waits. */
const isCut = async (container: ContainerFile, { layers }: Mapping): Promise<boolean> => {
  if (layers.length === 0 || findRewriters(container).some(({ online }) => online)) return false;
  // One that ended in order has taken its layers away before.
  return ((await findMapping(container))?.layers ?? []).length > 0;
};

const cut = 'its online reencryption (cryptsetup) was killed';

const foreign = (container: ContainerFile): string => `the mapping ${mappingName(container)} lies on something else`;

/**
 * Whether the mapping is the container's: it lies on its block device or its loop device, or on nothing any more (`dmsetup wipe_table`). One
 * that lies on something else is of another container with this UUID, a copy say, and nothing of it may be touched.
 */
const isOwn = ({ below }: Mapping, { block }: ContainerFile, loops: readonly Loop[]): boolean =>
  below.length === 0 ||
  (block === null ? loops.some(({ device }) => below.includes(device)) : block === 'gone' || below.includes(block));

/**
 * dm-crypt, of a block device right on it, of a file over a loop device of our own: the one cryptsetup makes has no direct I/O, so every
 * block would be cached twice.
 */
export class KernelEngine implements Engine {
  readonly name = 'kernel' as const;
  readonly #luks: Luks;

  constructor({ luks }: { luks: Luks }) {
    this.#luks = luks;
  }

  async probe(): Promise<EngineProbe> {
    if (!existsSync('/dev/loop-control'))
      return { usable: false, reason: 'the kernel offers no loop devices (/dev/loop-control)' };
    try {
      // Loads the module where it is one; where it is built in or there is no modprobe, the next line tells.
      await run('modprobe', ['dm-crypt'], { timeoutMs: probeTimeoutMs, okCodes: [0, 1] }).catch(() => undefined);
      const { stdout } = await run('dmsetup', ['targets'], { timeoutMs: probeTimeoutMs, env: udevEnvironment() });
      if (/^crypt\s/m.test(stdout.toString())) return { usable: true };
      return { usable: false, reason: 'the kernel has device-mapper but not dm-crypt' };
    } catch (error) {
      const { code } = toReelError(error);
      if (code === 'command-missing') return { usable: false, reason: 'the program dmsetup is not installed' };
      return { usable: false, reason: 'the kernel has no device-mapper' };
    }
  }

  async find(container: ContainerFile): Promise<Attachment | undefined> {
    const mapping = await findMapping(container);
    if (container.block !== null) return mapping && this.#onDevice(container, mapping);
    const loops = await this.#loops(container);
    const [loop, another] = loops;
    if (mapping === undefined && loop === undefined) return undefined;
    const mapped = `/dev/mapper/${mappingName(container)}`;
    const own = mapping !== undefined && isOwn(mapping, container, loops);
    const pieces = {
      ...{ engine: this.name, device: null, number: null, readOnly: null, blockPid: null, died: false },
      directIo: loop?.directIo ?? null,
      devices: [...(own ? [mapped] : []), ...loops.map((each) => each.path)],
      numbers: [
        ...(own ? [mapping.number, ...mapping.layers.map((layer) => layer.number)] : []),
        ...loops.map((each) => each.device),
      ],
    } as const;
    if (mapping === undefined) return { ...pieces, problem: 'a loop device is attached to it, but no mapping' };
    if (!own) return { ...pieces, problem: foreign(container) };
    if (loop === undefined || mapping.below.length === 0)
      return { ...pieces, problem: 'its mapping lies on nothing any more' };
    if (another !== undefined) return { ...pieces, problem: 'more than one loop device is attached to it' };
    if (await isCut(container, mapping)) return { ...pieces, died: true, problem: cut };
    return { ...pieces, device: mapped, number: mapping.number, readOnly: mapping.readOnly, problem: null };
  }

  async #onDevice(container: ContainerFile, mapping: Mapping): Promise<Attachment> {
    const mapped = `/dev/mapper/${mappingName(container)}`;
    const { number, readOnly, below, layers } = mapping;
    const pieces = {
      ...{ engine: this.name, device: null, number: null, readOnly: null, blockPid: null, died: false, directIo: true },
      ...{ devices: [mapped], numbers: [number, ...layers.map((layer) => layer.number)] },
    } as const;
    if (!isOwn(mapping, container, [])) return { ...pieces, devices: [], numbers: [], problem: foreign(container) };
    if (container.block === null || !below.includes(container.block)) {
      return { ...pieces, problem: 'its device was taken away' };
    }
    if (await isCut(container, mapping)) return { ...pieces, died: true, problem: cut };
    return { ...pieces, device: mapped, number, readOnly, problem: null };
  }

  attach(container: ContainerFile, key: Buffer, options: AttachOptions): Promise<Attachment> {
    return withUndo(async (undo) => {
      const { readOnly = false, performance = [], discard = false } = options;
      await checkPerformance(performance);
      const device = container.block === null ? (await attachLoop(container.path, options)).path : container.path;
      undo.push('kernel engine', () => this.detach(container));
      await this.#luks.open({ device, name: mappingName(container), key, readOnly, performance, discard });
      const attachment = await this.find(container);
      if (attachment === undefined || attachment.problem !== null) {
        throw new ReelError('io-error', {
          expected: 'a mapping of the container',
          got: attachment?.problem ?? 'none right after cryptsetup made it',
        });
      }
      return attachment;
    });
  }

  async grow(container: ContainerFile, told: (layer: string) => void): Promise<void> {
    for (const loop of await this.#loops(container)) await refreshLoop(loop);
    told('loop');
    // The volume key is in the mapping's table, not in the keyring, so none has to be given.
    await this.#luks.resize(mappingName(container));
    told('mapping');
  }

  /** The mapping lives in the kernel: nothing hangs but the piece that a reencryption was working on when it was killed. */
  async abort(container: ContainerFile): Promise<string[]> {
    const mapping = await findMapping(container);
    if (mapping === undefined || !(await isCut(container, mapping))) return [];
    if (!isOwn(mapping, container, await this.#loops(container))) throw sameUuid(container);
    return failSuspended(mapping);
  }

  async detach(container: ContainerFile): Promise<void> {
    const loops = await this.#loops(container);
    const mapping = await findMapping(container);
    if (mapping !== undefined) {
      if (!isOwn(mapping, container, loops)) throw sameUuid(container);
      await endOnlineRewriters(container);
      await this.#luks.close(mappingName(container));
    }
    for (const loop of loops) await detachLoop(loop);
  }

  async #loops(container: ContainerFile): Promise<Loop[]> {
    if (container.block !== null) return [];
    return (await attachedLoops()).filter((loop) => loop.backingFile === container.path);
  }
}
