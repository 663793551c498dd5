/** What the parser finds wrong, in words of ours: its own messages quote the text, which may hold a secret. */
import type { ErrorCode } from 'yaml';

type Words = readonly [expected: string, got: string];

const indentation: Words = ['`key: value` on a line of its own, indented like the keys beside it', 'something else'];

const words: Partial<Record<ErrorCode, Words>> = {
  TAB_AS_INDENT: ['spaces before a key', 'a tab'],
  BAD_INDENT: ['what belongs together indented alike, and brackets closed', 'another indentation, or an open bracket'],
  BLOCK_AS_IMPLICIT_KEY: indentation,
  MULTILINE_IMPLICIT_KEY: indentation,
  BLOCK_IN_FLOW: ['no indented block between brackets', 'one'],
  KEY_OVER_1024_CHARS: ['a key of at most 1024 characters', 'a longer one'],
  NON_STRING_KEY: ['a name before the colon', 'something else'],
  MISSING_CHAR: ['what was begun to be ended: a quote, a bracket, a comma, a space after a colon', 'no end'],
  UNEXPECTED_TOKEN: ['one value, then the end of the line', 'something more'],
  BAD_SCALAR_START: ['quotes around a value that begins with @ or a backtick', 'none'],
  BAD_DQ_ESCAPE: ['an escape that YAML knows after a backslash, or single quotes', 'another one'],
  MULTIPLE_DOCS: ['one document', 'the beginning of another'],
  RESOURCE_EXHAUSTION: ['fewer levels', 'too many'],
};

export const yamlWords = (code: ErrorCode): Words => words[code] ?? ['well-formed YAML', 'something else'];
