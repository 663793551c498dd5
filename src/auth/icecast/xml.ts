/** Icecast's configuration as a tree. What is not well-formed is refused; entities of the document's own are not expanded, but refused too. */
import { DOMParser, type Element, ParseError } from '@xmldom/xmldom';
import { ReelError } from '../../errors.ts';

export type { Element };

const invalid = (got: string): ReelError =>
  new ReelError('invalid-argument', { expected: 'an Icecast 2.5 configuration, or one of its parts', got });

/** Only the first words: a parser quotes the text, and the text holds passwords. */
const known: readonly (readonly [RegExp, string])[] = [
  [/entity/i, 'an entity of its own'],
  [/tag|unclosed/i, 'tags that do not fit together'],
  [/quot|attribute/i, 'an attribute that is not well-formed'],
];

export const parseXml = (text: string): Element => {
  if (/<!DOCTYPE/i.test(text)) throw invalid('a document type, whose entities are not expanded; leave it out');
  const parser = new DOMParser({
    // Whatever the parser would mend is another configuration than the one that was written.
    onError: (_level, message) => {
      throw new ParseError(message);
    },
  });
  try {
    const root = parser.parseFromString(text, 'text/xml').documentElement;
    if (root !== null) return root;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const { lineNumber = 0 } = (error.locator ?? {}) as { lineNumber?: number };
    const what = known.find(([pattern]) => pattern.test(error.message))?.[1] ?? 'XML that is not well-formed';
    throw invalid(`${what}${lineNumber > 0 ? ` at line ${lineNumber}` : ''}`);
  }
  throw invalid('no element');
};

export const childrenOf = (element: Element, name?: string): Element[] =>
  Array.from(element.childNodes)
    .filter((node): node is Element => node.nodeType === 1)
    .filter((child) => name === undefined || child.tagName === name);

export const textOf = (element: Element, name: string): string | undefined => {
  const text = childrenOf(element, name)[0]?.textContent?.trim();
  return text === undefined || text === '' ? undefined : text;
};

export const attributesOf = (element: Element): [name: string, value: string][] =>
  Array.from(element.attributes).map(({ name, value }) => [name, value]);

export const lineOf = (element: Element): number => element.lineNumber ?? 0;
