/** The rules of a volume, in `.reelvault/retention.json` in the volume itself. Without the file nothing is ever deleted. */
import Type from 'typebox';
import { type NoteFiles, readNote, writeNote } from '../note-file.ts';
import { noRules, type OwnRules, type RetentionRules, rulesSchema } from './rules.ts';

const file = '.reelvault/retention.json';
const schema = Type.Object({ layout: Type.Literal(1), rules: rulesSchema });

export type VolumeRuleChange = Partial<Omit<RetentionRules, 'streams'>>;

export class RuleStore {
  readonly #files: NoteFiles;

  constructor({ files }: { files: NoteFiles }) {
    this.#files = files;
  }

  async read(): Promise<RetentionRules> {
    return (await readNote(this.#files, file, schema))?.rules ?? noRules;
  }

  /** What is left out stays. Durable on return. */
  async change(change: VolumeRuleChange): Promise<RetentionRules> {
    return this.#write({ ...(await this.read()), ...change });
  }

  /** As `change`, for one stream; `undefined` takes its own rules away. */
  async changeStream(stream: string, change: OwnRules | undefined): Promise<RetentionRules> {
    const rules = await this.read();
    const { [stream]: own, ...others } = rules.streams;
    return this.#write({
      ...rules,
      streams: change === undefined ? others : { ...others, [stream]: { ...own, ...change } },
    });
  }

  async #write(rules: RetentionRules): Promise<RetentionRules> {
    await writeNote(this.#files, file, { layout: 1, rules });
    return rules;
  }
}
