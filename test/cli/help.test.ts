/** Whoever is woken at night reads the help of a verb: each one says what it does, shows how, and speaks JSON. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Command } from 'commander';
import { makeProgram } from '../../src/cli/program.ts';
import { variableList } from '../../src/config/variables.ts';

interface Verb {
  readonly path: string;
  readonly command: Command;
}

const verbsOf = (command: Command, path: string): Verb[] =>
  command.commands.length === 0
    ? [{ path, command }]
    : command.commands.flatMap((child) => verbsOf(child, `${path} ${child.name()}`));

/** What only holds verbs. */
const groupsOf = (command: Command, path: string): Verb[] =>
  command.commands.length === 0
    ? []
    : [{ path, command }, ...command.commands.flatMap((child) => groupsOf(child, `${path} ${child.name()}`))];

/** All that `--help` prints, what stands after the options too. */
const helpOf = (command: Command): string => {
  let text = '';
  command.configureOutput({ writeOut: (piece) => (text += piece) });
  command.outputHelp();
  return text;
};

const verbs = verbsOf(makeProgram(), 'reelvault');
const groups = groupsOf(makeProgram(), 'reelvault');

test('there are verbs', () => {
  assert.ok(verbs.length > 30, verbs.map(({ path }) => path).join('\n'));
});

for (const { path, command } of verbs) {
  test(`${path} --help: a description, an example of this very verb, --json`, () => {
    const help = helpOf(command);
    assert.ok(command.description().length > 10, 'no description');
    const [, examples = ''] = help.split(/\nExamples?:\n/);
    assert.ok(examples.includes(path), `no example of "${path}" in:\n${help}`);
    assert.match(help, /^ +--json +\S/m);
    for (const option of command.options) assert.ok(option.description.length > 5, `${option.flags} says nothing`);
  });
}

for (const { path, command } of groups) {
  test(`${path} --help: an example of one of its verbs`, () => {
    const [, examples = ''] = helpOf(command).split(/\nExamples?:\n/);
    assert.ok(examples.includes(`${path} `), `no example of "${path}" in:\n${helpOf(command)}`);
  });
}

test('serve --help and the README name every variable with its default, and none that does not exist', async () => {
  const command = verbs.find(({ path }) => path === 'reelvault serve')?.command;
  assert.ok(command !== undefined);
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const help = helpOf(command);
  const names = variableList().map(({ name }) => name);
  for (const { name, default: value, description } of variableList()) {
    assert.ok(description.length > 10, `${name} says nothing`);
    assert.ok(help.includes(`  ${name}${value === '' ? '' : ` (default: ${value})`}\n      ${description}\n`), name);
    const row = readme.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
    assert.ok(row?.startsWith(`| \`${name}\` | ${value === '' ? '' : `\`${value}\` `}|`), `${name}: ${row}`);
  }
  for (const text of [help, readme]) {
    for (const [word] of text.matchAll(/REELVAULT_[A-Z_]+/g)) assert.ok(names.includes(word), word);
  }
});

test('status --help: what exit code 8 means, and how to ask for the service alone', () => {
  const status = verbs.find(({ path }) => path === 'reelvault status');
  assert.ok(status !== undefined);
  assert.match(
    helpOf(status.command),
    /Exit code 8: some part is down, and for that one volume is enough: one that failed, or is paused/,
  );
  assert.match(helpOf(status.command), /\.alive/);
});
