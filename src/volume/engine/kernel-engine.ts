import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { ReelError, toReelError } from '../../errors.ts';
import { run } from '../../exec/run.ts';
import type { EngineProbe } from '../../helper/protocol/machine.ts';
import type { Luks } from '../../luks/luks.ts';
import { withUndo } from '../undo.ts';
import { type Attachment, type AttachOptions, type ContainerFile, type Engine, sameUuid } from './engine.ts';
import { attachedLoops, attachLoop, detachLoop, type Loop, refreshLoop } from './loop.ts';
import { mappingName } from './mapping-name.ts';
import { checkPerformance } from './performance.ts';

const probeTimeoutMs = 30_000;

interface Mapping {
  readonly number: string;
  /** Kernel names of the devices below it: `loop3`. */
  readonly slaves: readonly string[];
  readonly readOnly: boolean;
}

/**
 * Where no udev daemon runs (containers, small machines), libdevmapper must make the device nodes itself and not wait for udev's
 * answer, which would never come. Where one runs, it must not be passed over.
 */
export const udevEnvironment = (): Record<string, string> =>
  existsSync('/run/udev/control') ? {} : { DM_DISABLE_UDEV: '1' };

const attribute = async (file: string): Promise<string> => (await readFile(file, 'utf8').catch(() => '')).trim();

const findMapping = async (container: ContainerFile): Promise<Mapping | undefined> => {
  for (const name of (await readdir('/sys/block')).filter((candidate) => candidate.startsWith('dm-'))) {
    if ((await attribute(`/sys/block/${name}/dm/name`)) !== mappingName(container)) continue;
    const slaves = await readdir(`/sys/block/${name}/slaves`);
    const readOnly = (await attribute(`/sys/block/${name}/ro`)) === '1';
    return { number: await attribute(`/sys/block/${name}/dev`), slaves, readOnly };
  }
  return undefined;
};

/** dm-crypt over a loop device of our own: the one cryptsetup makes has no direct I/O, so every block would be cached twice. */
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
    const loops = await this.#loops(container);
    const [loop, another] = loops;
    if (mapping === undefined && loop === undefined) return undefined;
    const mapped = `/dev/mapper/${mappingName(container)}`;
    const pieces = {
      ...{ engine: this.name, device: null, number: null, readOnly: null, blockPid: null },
      directIo: loop?.directIo ?? null,
      devices: [...(mapping === undefined ? [] : [mapped]), ...loops.map((each) => each.path)],
      numbers: [...(mapping === undefined ? [] : [mapping.number]), ...loops.map((each) => each.device)],
    } as const;
    if (mapping === undefined) return { ...pieces, problem: 'a loop device is attached to it, but no mapping' };
    if (loop === undefined || !mapping.slaves.includes(loop.path.replace('/dev/', ''))) {
      return { ...pieces, problem: `the mapping ${mappingName(container)} lies on something else` };
    }
    if (another !== undefined) return { ...pieces, problem: 'more than one loop device is attached to it' };
    return { ...pieces, device: mapped, number: mapping.number, readOnly: mapping.readOnly, problem: null };
  }

  attach(container: ContainerFile, key: Buffer, options: AttachOptions): Promise<Attachment> {
    return withUndo(async (undo) => {
      const { readOnly = false, performance = [], discard = false } = options;
      await checkPerformance(performance);
      const loop = await attachLoop(container.path, options);
      undo.push('kernel engine', () => this.detach(container));
      await this.#luks.open({ device: loop.path, name: mappingName(container), key, readOnly, performance, discard });
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

  /** The mapping lives in the kernel: there is no server that could hang. */
  async abort(): Promise<string[]> {
    return [];
  }

  async detach(container: ContainerFile): Promise<void> {
    const loops = await this.#loops(container);
    const mapping = await findMapping(container);
    if (mapping !== undefined) {
      const ours = loops.some((loop) => mapping.slaves.includes(loop.path.replace('/dev/', '')));
      if (!ours) throw sameUuid(container);
      await this.#luks.close(mappingName(container));
    }
    for (const loop of loops) await detachLoop(loop);
  }

  async #loops(container: ContainerFile): Promise<Loop[]> {
    return (await attachedLoops()).filter((loop) => loop.backingFile === container.path);
  }
}
