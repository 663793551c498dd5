/** From the text of a file to a configuration, or to everything that is wrong with it. Nothing is read or written here. */
import Value from 'typebox/value';
import { type Config, configSchema, sectionFaults, withOverrides } from '../sections.ts';
import type { Settings } from '../settings.ts';
import { type ParsedText, parseConfigText } from './parse.ts';
import { inOrder, keyOf, type Problem } from './problem.ts';
import { schemaProblems } from './schema-problems.ts';

/** What a check depends on beside the text. */
export interface Surroundings {
  readonly border: Settings;
  /** Settings that the environment or an option gives: they go before the file. */
  readonly given: ReadonlySet<string>;
}

export interface Checked {
  readonly parsed: ParsedText;
  /** What the file says, filled with defaults, and the same with what the environment holds. Undefined where there are problems. */
  readonly own: Config | undefined;
  readonly config: Config | undefined;
  readonly problems: readonly Problem[];
}

/** `tuning:` with nothing below it is as good as none. */
const withoutEmptySections = (values: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));

/** More would be one fault many times. */
const mostProblems = 100;

const wrong = (parsed: ParsedText, problems: readonly Problem[]): Checked => ({
  parsed,
  own: undefined,
  config: undefined,
  problems: inOrder(problems).slice(0, mostProblems),
});

export const checkConfig = (text: string, { border, given }: Surroundings): Checked => {
  const parsed = parseConfigText(text);
  if (parsed.problems.length > 0) return wrong(parsed, parsed.problems);
  const filled = Value.Default(configSchema, structuredClone(withoutEmptySections(parsed.values)));
  const problems = schemaProblems(configSchema, filled, parsed);
  if (problems.length > 0) return wrong(parsed, problems);
  const own = filled as Config;
  const config = withOverrides(own, border, given);
  const faults = sectionFaults(config, border).map(({ path, expected, got }) => ({
    ...parsed.place(path),
    key: keyOf(path),
    expected,
    got,
  }));
  return faults.length > 0 ? wrong(parsed, faults) : { parsed, own, config, problems: [] };
};
