/** `volume bind`, `unbind` and `auto-open` against a real service and a real Tang server, and the question whether to trust it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Tang } from '../volume/tang.ts';
import { TestService } from './service.ts';
import { Terminal } from './terminal.ts';
import { refusesWrongUses, type WrongUse } from './wrong-uses.ts';

const phrase = 'marked-phrase-correct-horse';
const json = (text: string): Record<string, unknown> => JSON.parse(text);
const errorOf = (text: string) => json(text).error as { code: string; hint?: string; details: object };

describe('volume bind', { timeout: 1_200_000 }, () => {
  let service: TestService;
  let tang: Tang;
  let thumbprint: string;
  before(async () => {
    service = await TestService.create();
    tang = new Tang(service.base);
    await tang.start();
    // Not synchronously: the server answers in this process.
    const shown = await promisify(execFile)('tang-show-keys', [new URL(tang.url).port]);
    thumbprint = shown.stdout.trim();
    await service.start();
    const create = ['volume', 'create', 'main', '--size', '64M', '--locked', '--passphrase-file', '-'];
    const made = await service.run(create, `${phrase}\n`);
    assert.equal(made.code, 0, made.stderr);
  });
  after(async () => {
    await tang.stop();
    await service.destroy(['main']);
  });

  const bind = (args: readonly string[], input = phrase) =>
    service.run(['volume', 'bind', 'main', ...args, '--passphrase-file', '-'], input);
  const toTang = (...args: string[]): string[] => ['tang', '--url', tang.url, ...args];
  const kinds = async (): Promise<string[]> => {
    const { stdout } = await service.run(['volume', 'key', 'list', 'main', '--json']);
    const { keys } = json(stdout) as { keys: { slot: number; kind: string | null; binding: string | null }[] };
    return keys.map(({ slot, kind, binding }) => `${slot} ${binding ?? kind}`);
  };
  const terminal = (...args: string[]): Terminal => {
    const command = [path.join(service.base, 'reelvault'), 'volume', 'bind', 'main', ...toTang(...args)];
    return new Terminal(command, service.env);
  };
  const question = /Trust it\? \[y\/N\] /;

  test('where nobody can be asked it shows the thumbprint and refuses to guess', async () => {
    const outcome = await bind(toTang('--json'));
    assert.equal(outcome.code, 2);
    const [shown, ...error] = outcome.stderr.split(/(?=\{"error")/);
    assert.equal(shown, `${tang.url} is signed by\n  ${thumbprint}\n`);
    assert.deepEqual(
      [errorOf(error.join('')).code, errorOf(error.join('')).hint],
      ['invalid-argument', 'compare with what `tang-show-keys` prints on the server'],
    );
    assert.deepEqual(await kinds(), ['0 passphrase']);
  });

  for (const [no, keys] of [
    ['the default', '\r'],
    ['no', 'n\r'],
    ['something else', 'yikes\r'],
    ['Ctrl-D', '\x04'],
    ['Ctrl-C', '\x03'],
  ] as const) {
    test(`at a terminal: ${no} is a no, and nothing is bound`, async () => {
      const asked = terminal('--ask');
      await asked.answer(question, keys);
      assert.equal(await asked.ended(), 2, asked.screen);
      assert.ok(asked.screen.includes(`  ${thumbprint}\r\n`), asked.screen);
      assert.match(asked.screen, /invalid-argument/);
      assert.doesNotMatch(asked.screen, /Passphrase/);
      assert.deepEqual(await kinds(), ['0 passphrase']);
    });
  }

  test('at a terminal: a yes, then the passphrase, which is not shown', async () => {
    const asked = terminal('--ask');
    await asked.answer(question, 'y\r');
    await asked.answer(/Passphrase: /, `${phrase}\r`);
    assert.equal(await asked.ended(), 0, asked.screen);
    assert.match(asked.screen, /main: slot 1 is bound to tang/);
    assert.ok(!asked.screen.includes(phrase));
    assert.equal((await kinds()).length, 2);
  });

  test('a thumbprint that is named asks nothing; what is bound already is said so', async () => {
    const again = await bind(toTang('--thumbprint', thumbprint));
    assert.deepEqual([again.code, again.stderr], [0, '']);
    assert.match(again.stdout, /^main: slot 1 was bound already to tang/);
    const inJson = await bind(toTang('--trust', '--json'));
    assert.deepEqual([inJson.code, json(inJson.stdout).slot, json(inJson.stdout).added], [0, 1, false]);
    const wrong = await bind(toTang('--thumbprint', 'A'.repeat(43), '--json'));
    assert.deepEqual([wrong.code, errorOf(wrong.stderr).code], [3, 'tang-untrusted']);
    assert.deepEqual(errorOf(wrong.stderr).details, { url: tang.url, thumbprints: [thumbprint] });
  });

  test('it opens the volume without an admin, by itself when that is switched on', async () => {
    const opened = await service.run(['volume', 'open', 'main']);
    assert.notEqual(opened.code, 0, 'a volume with a passphrase is opened by it');
    const off = await service.run(['volume', 'auto-open', 'main', 'status', '--json']);
    assert.deepEqual([off.code, json(off.stdout).autoOpen], [0, false]);
    const on = await service.run(['volume', 'auto-open', 'main', 'on']);
    assert.equal(on.code, 0, on.stderr);
    let state = '';
    for (const until = performance.now() + 60_000; state !== 'open' && performance.now() < until; ) {
      state = String(json((await service.run(['volume', 'show', 'main', '--json'])).stdout).state);
    }
    assert.equal(state, 'open');
    assert.equal((await service.run(['volume', 'auto-open', 'main', 'off'])).code, 0);
    assert.equal((await service.run(['volume', 'auto-open', 'main', 'perhaps'])).code, 2);
    assert.equal((await service.run(['volume', 'lock', 'main'])).code, 0);
  });

  const wrongUses: WrongUse[] = [
    [['volume', 'bind', 'main', 'tpm3'], 2, /tang or tpm2, got tpm3/],
    [['volume', 'bind', 'main', 'tang'], 2, /--url/],
    [['volume', 'bind', 'main', 'tang', '--url', 'http://127.0.0.1:1', '--pcrs', '7'], 2, /no --pcrs/],
    [['volume', 'bind', 'main', 'tpm2', '--url', 'http://127.0.0.1:1'], 2, /without --url/],
    [['volume', 'bind', 'main', 'tang', '--url', 'http://127.0.0.1:1', '--trust'], 8, /tang-unavailable/],
    [['volume', 'bind', 'main', 'tang', '--url', 'file:///etc/passwd', '--trust'], 2, /invalid-argument/],
    [['volume', 'bind', 'main'], 2, /missing required argument/],
    [['volume', 'bind', 'none', 'tpm2'], 4, /not-found/],
    [['volume', 'unbind', 'main'], 2, /--slot/],
    [['volume', 'unbind', 'main', '--slot', 'one'], 2, /invalid-argument/],
    [['volume', 'unbind', 'main', '--slot', '99'], 2, /invalid-argument/],
    [['volume', 'unbind', 'none', '--slot', '1'], 4, /not-found/],
    [['volume', 'unbind', 'main', '--slot', '1', '--ask'], 2, /a terminal to ask at/],
    [['volume', 'unbind', 'main', '--slot', '1', '--ask', '--recovery'], 2, /one of --passphrase-file/],
  ];
  refusesWrongUses(() => service, wrongUses);

  test('a wrong passphrase binds and unbinds nothing', async () => {
    const before = await kinds();
    assert.equal((await bind(toTang('--trust'), 'marked-wrong')).code, 3);
    const unbind = ['volume', 'unbind', 'main', '--slot', '1', '--passphrase-file', '-', '--json'];
    const refused = await service.run(unbind, 'marked-wrong');
    assert.deepEqual([refused.code, errorOf(refused.stderr).code], [3, 'wrong-key']);
    assert.deepEqual(await kinds(), before);
  });

  test('unbind: only slots of bindings, and once', async () => {
    const unbind = (slot: string, ...args: string[]) =>
      service.run(['volume', 'unbind', 'main', '--slot', slot, '--passphrase-file', '-', ...args], phrase);
    const noBinding = await unbind('0', '--json');
    assert.notEqual(noBinding.code, 0, 'the passphrase is no binding');
    const gone = await unbind('1', '--json');
    assert.deepEqual([gone.code, json(gone.stdout)], [0, { slot: 1, keyFileRemoved: false }]);
    const again = await unbind('1');
    assert.deepEqual([again.code, again.stdout], [0, 'main: no slot 1\n']);
    assert.deepEqual(await kinds(), ['0 passphrase']);
  });

  test('no passphrase is in the log', () => assert.doesNotMatch(service.log, /marked-/));
});
