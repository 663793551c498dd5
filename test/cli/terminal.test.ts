/** Passphrases that are typed at a real terminal, one after the other: nothing of them is sent, since no service runs there. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { Terminal } from './terminal.ts';

const program = path.resolve(import.meta.dirname, '../../src/cli/reelvault.sh');

const change = (): Terminal => {
  const { PATH } = process.env;
  return new Terminal([program, 'volume', 'key', 'change', 'main', '--ask', '--runtime', '/nowhere'], { PATH });
};

for (const [again, end, said] of [
  ['marked-new', 8, /not-running/],
  ['marked-other', 2, /the same passphrase twice, got two different ones/],
  ['\x03', 2, /got an end/],
] as const) {
  test(`a new passphrase is asked for twice after the one that opens now: ${JSON.stringify(again)}`, async (t) => {
    const asked = change();
    t.after(() => asked.kill());
    await asked.answer(/^Passphrase: $/, 'marked-old\r');
    await asked.answer(/New passphrase: $/, 'marked-new\r');
    await asked.answer(/The same again: $/, `${again}\r`);
    assert.equal(await asked.ended(), end, asked.screen);
    assert.match(asked.screen, said);
    assert.doesNotMatch(asked.screen, /marked-/);
  });
}
