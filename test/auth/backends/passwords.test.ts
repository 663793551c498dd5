/** Users and passwords of the configuration and of files. */
import assert from 'node:assert/strict';
import { argon2Sync, createHash, randomBytes, scryptSync } from 'node:crypto';
import { chmod, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { hash as bcrypt } from '@node-rs/bcrypt';
import { HashQueue } from '../../../src/auth/backends/hash-queue.ts';
import { parsePasswordLines } from '../../../src/auth/backends/password-file.ts';
import { readHash, refusedBecause } from '../../../src/auth/backends/password-hash.ts';
import { ask, params, rulesOf } from '../rules/support.ts';

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');

const argon = (password: string, kind: 'argon2id' | 'argon2i' | 'argon2d' = 'argon2id'): string => {
  const nonce = randomBytes(16);
  const hash = argon2Sync(kind, { message: password, nonce, memory: 64, passes: 1, parallelism: 1, tagLength: 32 });
  return `$${kind}$v=19$m=64,t=1,p=1$${unpadded(nonce)}$${unpadded(hash)}`;
};

const scrypt = (password: string): string => {
  const salt = randomBytes(16);
  return `$scrypt$ln=10,r=8,p=1$${unpadded(salt)}$${unpadded(scryptSync(password, salt, 32, { N: 1024, r: 8, p: 1 }))}`;
};

const md5 = (password: string): string => createHash('md5').update(password).digest('hex');

const folder = async (t: TestContext): Promise<string> => {
  const made = await mkdtemp(path.join(os.tmpdir(), 'reelvault-users-'));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
};

suite('hashes', () => {
  test('each form that is read knows its password and no other', async () => {
    const apache = (await bcrypt('wine', 4)).replace(/^\$2b/, '$2y');
    const made = [argon('wine'), argon('wine', 'argon2i'), argon('wine', 'argon2d'), scrypt('wine'), apache];
    for (const text of [...made, await bcrypt('wine', 4)]) {
      const verify = readHash(text);
      assert.ok(verify !== undefined, text);
      assert.equal(await verify(Buffer.from('wine')), true, text);
      assert.equal(await verify(Buffer.from('wines')), false, text);
      assert.equal(await verify(Buffer.from('')), false, text);
    }
  });

  test("Icecast's MD5 only where it is asked for", async () => {
    assert.equal(readHash(md5('wine')), undefined);
    assert.equal(await readHash(md5('wine'), true)?.(Buffer.from('wine')), true);
    assert.equal(await readHash(md5('wine'), true)?.(Buffer.from('beer')), false);
  });

  test('what is weak, or would cost the memory of the recorder, is refused', () => {
    const tooDear = argon('a').replace('m=64', 'm=9999999');
    const weak = [
      '$apr1$abc$def',
      '$6$salt$hash',
      '$1$a$b',
      '{SHA}abc=',
      'plain',
      'rl.3StKT.4T8M',
      tooDear,
      '$2b$31$x',
    ];
    for (const text of weak) {
      assert.equal(readHash(text, true), undefined, text);
      assert.equal(refusedBecause(text).includes(text), false);
    }
  });

  test('each form of argon2 and scrypt with a piece missing is refused, and does not throw', () => {
    for (const whole of [argon('a'), scrypt('a')])
      for (let length = 0; length < whole.length - 50; length += 1)
        assert.equal(readHash(whole.slice(0, length)), undefined);
  });
});

suite('static', () => {
  test('a hashed password of the configuration', async () => {
    const rules = rulesOf(`authentication: [{type: static, options: {username: ann, password: '${argon('wine')}'}}]`);
    assert.equal((await ask(rules, { as: ['ann', 'wine'] })).outcome, 'allowed');
    assert.equal((await ask(rules, { as: ['ann', 'beer'] })).steps[0]?.result, 'fail');
    assert.equal((await ask(rules, { as: ['bob', 'wine'] })).steps[0]?.result, 'nomatch');
    assert.equal((await ask(rules, {})).steps[0]?.result, 'nomatch');
  });

  test('no secret in what is told', async () => {
    const rules = rulesOf('authentication: [{type: static, options: {username: ann, password: marked-secret}}]');
    for (const as of [['ann', 'marked-secret'] as const, ['ann', 'marked-guess'] as const])
      assert.equal(/marked/.test(JSON.stringify(await ask(rules, { as }))), false);
  });
});

suite('a file of users', () => {
  const rules = (files: string, options = '', warned = params()) => ({
    rules: rulesOf(`authentication: [{type: htpasswd, options: {filename: users${options}}}]`, { ...warned, files }),
    warned,
  });

  test('knows its users, and a changed file at once', async (t) => {
    const files = await folder(t);
    const file = path.join(files, 'users');
    await writeFile(file, `# ours\r\nann:${argon('wine')}\r\n\nb:o:b:${await bcrypt('beer', 4)}\n`);
    const { rules: lists } = rules(files);
    assert.equal((await ask(lists, { as: ['ann', 'wine'] })).user, 'ann');
    assert.equal((await ask(lists, { as: ['b:o:b', 'beer'] })).user, 'b:o:b');
    assert.equal((await ask(lists, { as: ['ann', 'beer'] })).steps[0]?.result, 'fail');
    assert.equal((await ask(lists, { as: ['eve', 'beer'] })).steps[0]?.result, 'nomatch');
    await writeFile(`${file}.new`, `ann:${argon('cider')}\n`);
    await rename(`${file}.new`, file);
    assert.equal((await ask(lists, { as: ['ann', 'wine'] })).steps[0]?.result, 'fail');
    assert.equal((await ask(lists, { as: ['ann', 'cider'] })).outcome, 'allowed');
  });

  test('lines that are refused are told by number', async (t) => {
    const files = await folder(t);
    await writeFile(
      path.join(files, 'users'),
      `ann:${md5('marked-wine')}\nbob:marked-plain\nnonsense\ncat:${argon('milk')}\n`,
    );
    const { rules: lists, warned } = rules(files);
    assert.equal((await ask(lists, { as: ['ann', 'marked-wine'] })).steps[0]?.result, 'nomatch');
    assert.equal((await ask(lists, { as: ['cat', 'milk'] })).outcome, 'allowed');
    const [{ facts } = assert.fail()] = warned.warned;
    assert.deepEqual(
      (facts.refused as { line: number }[]).map(({ line }) => line),
      [1, 2, 3],
    );
    assert.equal(/marked|[0-9a-f]{32}/.test(JSON.stringify(facts)), false);
    const { rules: old } = rules(files, ', legacy_md5: true');
    assert.equal((await ask(old, { as: ['ann', 'marked-wine'] })).outcome, 'allowed');
  });

  test('the first line of a user counts', () => {
    const { users } = parsePasswordLines(`ann:${md5('one')}\nann:${md5('two')}`, true);
    assert.equal(users.get('ann')?.record, md5('one'));
  });

  test('a file that is not there, or a symbolic link, lets nobody in', async (t) => {
    const files = await folder(t);
    const { rules: lists } = rules(files);
    const first = await ask(lists, { as: ['ann', 'wine'] });
    assert.deepEqual([first.outcome, first.steps[0]?.result], ['unauthorized', 'fail']);
    await writeFile(path.join(files, 'elsewhere'), `ann:${argon('wine')}\n`);
    await chmod(path.join(files, 'elsewhere'), 0o600);
    await symlink('elsewhere', path.join(files, 'users'));
    assert.equal((await ask(lists, { as: ['ann', 'wine'] })).steps[0]?.result, 'fail');
  });
});

suite('the work behind an answer', () => {
  const counted = () => {
    let works = 0;
    const queue = new (class extends HashQueue {
      override check(scope: string, password: Buffer, work: (password: Buffer) => Promise<boolean>): Promise<boolean> {
        works += 1;
        return super.check(scope, password, work);
      }
    })({ now: Date.now });
    return { queue, works: () => works };
  };

  test('is the same for a wrong password and for an unknown user', async (t) => {
    const files = await folder(t);
    await writeFile(path.join(files, 'users'), `bob:${argon('beer')}\n`);
    const { queue, works } = counted();
    const lists = rulesOf(
      `authentication:
        - {type: static, options: {username: ann, password: '${argon('wine')}'}}
        - {type: static, match_method: put, options: {username: ann, password: '${argon('wine')}'}}
        - {type: htpasswd, options: {filename: users}}
        - {type: account}`,
      { queue, files },
    );
    const costs: number[] = [];
    for (const as of [['ann', 'x'] as const, ['bob', 'x'] as const, ['owner', 'x'] as const, ['eve', 'x'] as const]) {
      const before = works();
      await ask(lists, { as });
      costs.push(works() - before);
    }
    assert.deepEqual(costs, [3, 3, 3, 3]);
  });

  test('for an unknown user is that for some user of the file, always the same one, of all of them', async (t) => {
    const files = await folder(t);
    const records = [argon('wine'), await bcrypt('beer', 4), scrypt('milk')];
    await writeFile(path.join(files, 'users'), records.map((record, index) => `u${index}:${record}\n`).join(''));
    const scopes: string[] = [];
    const queue = new (class extends HashQueue {
      override check(scope: string): Promise<boolean> {
        scopes.push(scope);
        return Promise.resolve(false);
      }
    })({ now: Date.now });
    const lists = rulesOf('authentication: [{type: htpasswd, options: {filename: users}}]', { queue, files });
    for (let round = 0; round < 2; round += 1)
      for (let user = 0; user < 60; user += 1) await ask(lists, { as: [`x${user}`, 'guess'] });
    const worked = scopes.map((scope) => records.findIndex((record) => scope.endsWith(record)));
    assert.deepEqual(new Set(worked), new Set([0, 1, 2]));
    assert.deepEqual(worked.slice(0, 60), worked.slice(60));
  });

  test('is done once for the same credentials, one after another, and the password is zeroed', async () => {
    const queue = new HashQueue({ now: () => 0 });
    const seen: Buffer[] = [];
    let running = 0;
    const work = async (password: Buffer): Promise<boolean> => {
      seen.push(password);
      running += 1;
      assert.equal(running, 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      return true;
    };
    const given = Buffer.from('wine');
    await Promise.all([queue.check('a', given, work), queue.check('a', given, work), queue.check('b', given, work)]);
    await queue.check('a', given, work);
    assert.equal(seen.length, 2);
    assert.equal(given.toString(), 'wine');
    for (const copy of seen) assert.deepEqual([...copy], [0, 0, 0, 0]);
  });
});
