/** What a configuration file may hold, and how it is told what it must not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfig } from '../../../src/config/file/check.ts';
import { longestText } from '../../../src/config/file/parse.ts';
import { problemText } from '../../../src/config/file/problem.ts';
import { defaultSettings } from '../../../src/config/settings.ts';

const surroundings = { border: defaultSettings, given: new Set<string>() };
const problemsOf = (text: string): string[] => checkConfig(text, surroundings).problems.map(problemText);
const configOf = (text: string, given: string[] = [], border = defaultSettings) =>
  checkConfig(text, { border, given: new Set(given) }).config;

test('an empty file, one of comments, and a section without keys: the defaults', () => {
  const defaults = configOf('');
  assert.equal(defaults?.tuning.segment_ms, 4000);
  for (const text of ['# nothing\n', 'tuning:\n', '{}', '\n\n', 'tuning: {}\r\nwebhook:\r\n']) {
    assert.deepEqual(configOf(text), defaults, JSON.stringify(text));
  }
});

test('a key of the file goes before the default, the environment before the file', () => {
  const text = 'tuning:\n  segment_ms: 2000 # short\n  hang_ms: 5000\n';
  assert.equal(configOf(text)?.tuning.segment_ms, 2000);
  const config = configOf(text, ['segmentMs'], { ...defaultSettings, segmentMs: 1000, hangMs: 9000 });
  assert.deepEqual([config?.tuning.segment_ms, config?.tuning.hang_ms], [1000, 5000]);
});

const wrong: [name: string, text: string, ...problems: (string | RegExp)[]][] = [
  [
    'every problem is told, in the order of the lines',
    'tuning:\n  segment_ms: 3\n  speed: 1\n  log_level: loud\nwebhock:\n  urls: []\n',
    '2:3 tuning.segment_ms: expected at least 500 (wanted length of a segment of a new stream), got 3',
    /^3:3 tuning\.speed: expected one of listen, default_volume, .*, got a key that is none$/,
    /^4:3 tuning\.log_level: expected one of fatal, error, .*, got "loud"$/,
    '5:1 webhock: expected one of tuning, webhook, listeners, streams, default_stream, authentication, got a key that is none',
  ],
  [
    'a key twice',
    'tuning:\n  hang_ms: 5000\n  hang_ms: 6000\n',
    '3:3 tuning.hang_ms: expected each key once, got it again',
  ],
  ['a section twice', 'tuning: {}\nwebhook: {}\ntuning: {}\n', '3:1 tuning: expected each key once, got it again'],
  ['a tab', 'tuning:\n\tsegment_ms: 2000\n', '2:1: expected spaces before a key, got a tab'],
  ['an anchor', 'tuning: &a\n  hang_ms: 5000\n', '1:9: expected no anchor (&), got one (&)'],
  ['an alias', 'tuning:\n  hang_ms: *a\n', '2:12: expected no alias (*), got one (*)'],
  ['a tag', 'tuning:\n  writer: !!binary aGk=\n', '2:11: expected no tag (!), got one'],
  ['a directive', '%YAML 1.1\n---\ntuning: {}\n', '1:1: expected no directive (%), got one (%)'],
  ['two documents', 'tuning: {}\n---\nwebhook: {}\n', '2:1: expected one document, got the beginning of another'],
  ['a control character', 'tuning:\n  writer: "\u0007"\n', '2:12: expected text, got the control character U+0007'],
  ['an open bracket', 'webhook:\n  types: [a\ntuning: {}\n', /^\d:\d+: expected /],
  ['an open quote', 'tuning:\n  writer: "auto\n', /^\d:\d+: expected what was begun to be ended/],
  ['a list', '- a\n', '1:1: expected sections: a name, a colon, and keys below it, got a list'],
  ['a word', 'hello\n', '1:1: expected sections: a name, a colon, and keys below it, got a single value'],
  ['a word for a section', 'tuning: fast\n', /^1:1 tuning: expected an object, got another value$/],
  ['a list for a section', 'tuning: [1]\n', /^1:1 tuning: expected an object, got another value$/],
  ['a key that is no name', '? [a, b]\n: 1\n', /^1:3: expected a name before the colon/],
  ['a prototype', 'tuning:\n  __proto__: {segment_ms: 1000}\n', /^2:3 tuning.__proto__: expected another key/],
  ['a number as text', 'tuning:\n  hang_ms: "5000"\n', /^2:3 tuning.hang_ms: expected a whole number .*, got "5000"$/],
  ['a number that is none', 'tuning:\n  hang_ms: .nan\n', /^2:3 tuning.hang_ms: expected /],
  ['nothing for a value', 'tuning:\n  hang_ms:\n', /^2:3 tuning.hang_ms: expected a whole number .*, got nothing$/],
  [
    'webhooks without a secret',
    'webhook:\n  urls: [https://a/]\n',
    /^2:3 webhook.urls: expected none without REELVAULT_WEBHOOK_SECRET_FILE/,
  ],
  [
    'types of events',
    'webhook:\n  types:\n    - volume.*\n    - Volume\n',
    /^4:7 webhook.types.1: expected a type such as/,
  ],
];
for (const [name, text, ...expected] of wrong) {
  test(`refused with its place: ${name}`, () => {
    const problems = problemsOf(text);
    assert.equal(problems.length, expected.length, problems.join('\n'));
    for (const [index, each] of expected.entries()) {
      if (typeof each === 'string') assert.equal(problems[index], each);
      else assert.match(problems[index] ?? '', each);
    }
  });
}

test('a value that may be a secret is not quoted, wherever it stands and whatever is wrong with it', () => {
  for (const text of [
    'webhook:\n  urls: https://marked/\n',
    'webhook: https://marked/\n',
    'webhook:\n  urls: [ftp://marked/]\n',
    'webhook:\n  urls: [[https://marked/]]\n',
    'webhook:\n  urls: {marked: 1}\n',
    'tuning:\n  episodes_url: gopher://marked\n',
    'tuning:\n  episodes_url: [marked]\n',
    'tuning:\n  episodes_url: "marked\n',
    'tuning:\n  episodes_url: marked: marked\n',
    'tuning:\n  episodes_url: "\\qmarked"\n',
    'tuning:\n  episodes_url: @marked\n',
    'tuning:\n  episodes_url: &marked x\n',
    'tuning:\n  episodes_url: *marked\n',
    'tuning:\n  episodes_url: !marked x\n',
  ]) {
    const problems = problemsOf(text);
    assert.ok(problems.length > 0, text);
    assert.ok(!problems.join().includes('marked'), problems.join());
  }
});

test('what would choke a parser is refused, or read, soon', () => {
  const n = longestText;
  const bombs = [
    '['.repeat(n),
    `a: ${'{b: '.repeat(n / 4)}`,
    '- '.repeat(n / 2),
    '? '.repeat(n / 2),
    Array.from({ length: 700 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
    '"'.repeat(n),
    '&a '.repeat(n / 3),
    '!a '.repeat(n / 3),
    '\r'.repeat(n),
    '---\n'.repeat(n / 4),
    Array.from({ length: n / 8 }, (_, i) => `k${i}: 1`).join('\n'),
    '*a'.repeat(n / 2),
    `a: "${'\\u0041'.repeat(n / 7)}"`,
    `[${','.repeat(n - 2)}]`,
    Array.from({ length: n / 10 }, () => 'tuning: {}').join('\n'),
    '{'.repeat(31) + '}'.repeat(31),
    `a: |\n${' x\n'.repeat(n / 4)}`,
    ':'.repeat(n),
    '- - '.repeat(8) + '\n'.repeat(1000),
    "'".repeat(n),
    '#'.repeat(n),
    `- \n${' - \n'.repeat(100)}`,
  ];
  for (const bomb of bombs) {
    const began = performance.now();
    const { config } = checkConfig(bomb, surroundings);
    assert.equal(config === undefined, !bomb.startsWith('#'), bomb.slice(0, 20));
    const ms = performance.now() - began;
    assert.ok(ms < 3000, `${Math.round(ms)} ms for ${bomb.slice(0, 20)}`);
  }
});
