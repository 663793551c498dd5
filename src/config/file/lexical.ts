/**
 * A look at the text before it is parsed: what a configuration never needs and a parser may choke on. Anchors and aliases make a bomb of a few
 * lines, tags make types, and nesting costs the parser the square of its depth.
 */
import { CST, Lexer } from 'yaml';

/** Of brackets, and of `- ` and `? ` on one line. */
const deepest = 32;
/** Of spaces before a key. */
const widest = 128;

export interface Spot {
  readonly offset: number;
  readonly expected: string;
  readonly got: string;
}

const refused: Readonly<Record<string, string>> = {
  anchor: 'no anchor (&)',
  alias: 'no alias (*)',
  tag: 'no tag (!)',
  'directive-line': 'no directive (%)',
};

const control = /[^\t\n\r\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/** Only the first: what follows may be misread. */
export const lexicalFault = (text: string): Spot | undefined => {
  const odd = control.exec(text);
  if (odd !== null) {
    const code = (odd[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return { offset: odd.index, expected: 'text', got: `the control character U+${code}` };
  }
  let offset = 0;
  let depth = 0;
  let indicators = 0;
  for (const source of new Lexer().lex(text)) {
    // Marks that are no part of the text.
    if (source === CST.DOCUMENT || source === CST.FLOW_END || source === CST.SCALAR) continue;
    const type = CST.tokenType(source) ?? 'scalar';
    const expected = refused[type];
    if (expected !== undefined) return { offset, expected, got: `one${type === 'tag' ? '' : ` (${source[0]})`}` };
    if (type === 'newline') indicators = 0;
    if (type === 'seq-item-ind' || type === 'explicit-key-ind') indicators += 1;
    if (type === 'flow-seq-start' || type === 'flow-map-start') depth += 1;
    if (type === 'flow-seq-end' || type === 'flow-map-end') depth -= 1;
    const wide = type === 'space' && source.length > widest && offset > 0 && text[offset - 1] === '\n';
    if (depth > deepest || indicators > deepest || wide)
      return { offset, expected: `at most ${deepest} levels`, got: 'more' };
    offset += source.length;
  }
  return undefined;
};
