/**
 * What the attributes of a role allow and deny. In Icecast a later attribute stands over an earlier one; here the narrower word counts. So
 * each is applied in its order, and what is left of them is written down.
 */
import { listOf } from '../rules/words.ts';

/** `*`, and what Icecast takes for true. */
export const saysYes = (value: string): boolean => value.includes('*') || /^\s*(true|yes|1|on)\s*$/i.test(value);

class Side {
  readonly #named = new Map<string, boolean>();
  #all: boolean | undefined;

  set(allow: boolean, value: string): void {
    for (const word of listOf(value)) {
      if (word === '*') this.reset(allow);
      else this.#named.set(word, allow);
    }
  }

  reset(all?: boolean): void {
    this.#named.clear();
    this.#all = all;
  }

  words(allow: boolean): string | undefined {
    const named = [...this.#named].filter(([, is]) => is === allow).map(([word]) => word);
    const words = this.#all === allow ? ['*', ...named] : named;
    return words.length === 0 ? undefined : words.join(',');
  }
}

export class ImportedPermissions {
  readonly #method = new Side();
  readonly #admin = new Side();
  #web: boolean | undefined;
  #all: boolean | undefined;

  /** False for an attribute that says nothing of this. */
  take(attribute: string, value: string): boolean {
    const parts = /^(allow|deny)-(method|admin|web|all)$/.exec(attribute);
    if (parts === null) return false;
    const allow = parts[1] === 'allow';
    const [, , what] = parts;
    if (what === 'method') this.#method.set(allow, value.toLowerCase());
    else if (what === 'admin') this.#admin.set(allow, value);
    else if (what === 'web') this.#web = saysYes(value) === allow;
    else {
      this.#method.reset();
      this.#admin.reset();
      this.#web = undefined;
      this.#all = saysYes(value) === allow;
    }
    return true;
  }

  /** The keys of our role. */
  keys(): Partial<Record<string, string>> {
    const yesOrNo = (name: string, value: boolean | undefined): Record<string, string> =>
      value === undefined ? {} : { [`${value ? 'allow' : 'deny'}_${name}`]: '*' };
    const words = (name: string, side: Side): [string, string | undefined][] => [
      [`allow_${name}`, side.words(true)],
      [`deny_${name}`, side.words(false)],
    ];
    const lists = [...words('method', this.#method), ...words('admin', this.#admin)];
    return {
      ...yesOrNo('all', this.#all),
      ...Object.fromEntries(lists.filter((entry): entry is [string, string] => entry[1] !== undefined)),
      ...yesOrNo('web', this.#web),
    };
  }
}
