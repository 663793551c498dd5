/** The parts of the service that take the configuration: all of them take a new one, or none does. */
import { ReelError, toReelError } from '../../errors.ts';
import type { Config } from '../sections.ts';

/** Takes what concerns it, or throws and is as before. May be called with what it has already. */
export type Take = (config: Config, before: Config) => void | Promise<void>;

export class ConfigTakers {
  readonly #takers: (readonly [name: string, take: Take])[] = [];

  add(name: string, take: Take): void {
    this.#takers.push([name, take]);
  }

  /** Throws `config-refused` when a part refuses; those that had taken it have `before` again. */
  async offer(config: Config, before: Config): Promise<void> {
    for (const [index, [name, take]] of this.#takers.entries()) {
      try {
        await take(config, before);
      } catch (thrown) {
        const left = await this.#putBack(this.#takers.slice(0, index), before, config);
        throw refused(name, thrown, left);
      }
    }
  }

  /** Names of those that would not go back. */
  async #putBack(takers: readonly (readonly [string, Take])[], before: Config, config: Config): Promise<string[]> {
    const left: string[] = [];
    for (const [name, take] of takers.toReversed()) {
      try {
        await take(before, config);
      } catch {
        left.push(name);
      }
    }
    return left;
  }
}

const refused = (part: string, thrown: unknown, left: readonly string[]): ReelError => {
  const cause = toReelError(thrown);
  const stuck = left.length === 0 ? '' : `; ${left.join(', ')} could not be put back and need a restart`;
  return new ReelError('config-refused', {
    expected: `${part} to take the configuration`,
    got: `${cause.message}${stuck}`,
    cause,
    details: { part, notPutBack: left },
  });
};
