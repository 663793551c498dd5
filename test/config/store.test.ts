/** The configuration of a running service, with its real file: changed from here, edited by hand, locked, wrong, and taken back. */
import assert from 'node:assert/strict';
import { chmod, readdir, readFile, rename, rm, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { withoutSecrets } from '../../src/config/file/secrets.ts';
import { ReelError } from '../../src/errors.ts';
import { change, failsWith, file, folder, news, open, patch, reopen, store, until } from './store-ground.ts';

test('a key is set: in the file, in the history, in every part, and told', async () => {
  const taken: number[] = [];
  store.onChange('part', ({ tuning }, before) => void taken.push(before.tuning.segment_ms, tuning.segment_ms));
  const { changes } = await patch({ tuning: { segment_ms: 2000, staging_mib: 32 } });
  assert.deepEqual(
    changes.map(({ key, from, to, applies }) => [key, from, to, applies]),
    [
      ['tuning.segment_ms', 4000, 2000, 'at once'],
      ['tuning.staging_mib', 64, 32, 'at the next start'],
    ],
  );
  assert.equal(await readFile(file, 'utf8'), 'tuning:\n  segment_ms: 2000\n  staging_mib: 32\n');
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.deepEqual(taken, [4000, 2000]);
  assert.deepEqual(store.waiting, ['tuning.staging_mib']);
  assert.deepEqual(
    (await store.history.list()).map(({ id, by, how }) => [id, by, how]),
    [[1, 'test', 'change']],
  );
  assert.deepEqual(
    news.map(({ what }) => what),
    ['changed'],
  );
  await reopen();
  assert.deepEqual([store.current.tuning.segment_ms, store.settings.stagingMiB], [2000, 32]);
  assert.deepEqual(store.waiting, []);
});

test('comments, order and the spelling of the rest stay', async () => {
  const text = '# ours\ntuning:   # sizes\n  hang_ms:   5000   # disk\n\n  # short ones\n  segment_ms: 4_000\n'.replace(
    '4_000',
    '4000',
  );
  await writeFile(file, text);
  await store.refresh();
  await patch({ tuning: { hang_ms: 6000 } });
  assert.equal(await readFile(file, 'utf8'), text.replace('5000', '6000'));
  await patch({ tuning: { log_level: 'debug', segment_ms: null } });
  const after = await readFile(file, 'utf8');
  for (const comment of ['# ours', '# sizes', '# disk']) assert.ok(after.includes(comment), after);
  assert.equal(store.current.tuning.log_level, 'debug');
  assert.equal(store.current.tuning.segment_ms, 4000);
});

test('the file edited by hand is taken up, also one that is put in its place', async () => {
  await writeFile(file, 'tuning: {hang_ms: 5000}\n');
  await until(() => store.current.tuning.hang_ms === 5000, 'the new file to be taken up');
  await writeFile(`${file}.new`, 'tuning: {hang_ms: 7000}\n');
  await rename(`${file}.new`, file);
  await until(() => store.current.tuning.hang_ms === 7000, 'the other file to be taken up');
  await until(() => news.length === 2, 'both to be told');
  assert.equal((await store.history.list()).length, 2);
});

test('a file that becomes wrong changes nothing: it is told once, and mended by hand or from here', async () => {
  await patch({ tuning: { hang_ms: 5000 } });
  await writeFile(file, 'tuning:\n  hang_ms: soon\n');
  await until(() => store.problems.length > 0, 'the problem');
  assert.equal(store.current.tuning.hang_ms, 5000);
  await store.refresh();
  assert.deepEqual(
    news.map(({ what }) => what),
    ['changed', 'wrong'],
  );
  assert.deepEqual(
    [store.problems[0]?.line, store.problems[0]?.column, store.problems[0]?.key],
    [2, 3, 'tuning.hang_ms'],
  );
  await assert.rejects(patch({ tuning: { segment_ms: 2000 } }), failsWith('config-invalid', /2:3 tuning\.hang_ms/));
  await patch({ tuning: { hang_ms: 6000 } });
  assert.deepEqual([store.problems, store.current.tuning.hang_ms], [[], 6000]);
  await writeFile(file, 'tuning: [\n');
  await store.refresh();
  await writeFile(file, 'tuning: {hang_ms: 6000}\n');
  await store.refresh();
  assert.equal(store.problems.length, 0);
});

test('a file that is deleted by a slip takes nothing with it', async () => {
  await patch({ tuning: { hang_ms: 5000 } });
  await unlink(file);
  await store.refresh();
  assert.equal(store.current.tuning.hang_ms, 5000);
  assert.match(store.problems[0]?.got ?? '', /none any more/);
  await reopen({ again: true });
  assert.equal(store.current.tuning.hang_ms, 5000);
  assert.equal(news[0]?.what, 'wrong');
});

const untrusted: [name: string, make: () => Promise<unknown>, words: RegExp][] = [
  ['one that others may write', () => chmod(file, 0o666), /others cannot write/],
  ['a symbolic link', () => rename(file, `${file}.real`).then(() => symlink(`${file}.real`, file)), /symbolic link/],
  [
    'bytes that are no UTF-8',
    () => writeFile(file, Buffer.from('tuning: {}\n# \xff\n', 'latin1')),
    /2:1: expected UTF-8/,
  ],
  ['a huge one', () => writeFile(file, '#'.repeat(1 << 20)), /at most 131072 bytes/],
  [
    'a directory',
    () =>
      unlink(file)
        .then(() => import('node:fs/promises'))
        .then((fs) => fs.mkdir(file)),
    /regular file/,
  ],
  ['one in a directory that others may write', () => chmod(folder, 0o777), /a directory that others cannot write/],
  [
    'one of somebody else',
    () => import('node:fs/promises').then((fs) => fs.chown(file, 4711, 4711)),
    /belongs to root/,
  ],
];
for (const [name, make, words] of untrusted) {
  test(`refused at a start, and kept out of a running service: ${name}`, {
    skip: process.getuid?.() !== 0,
  }, async () => {
    await patch({ tuning: { hang_ms: 5000 } });
    await make();
    await store.refresh();
    assert.equal(store.current.tuning.hang_ms, 5000);
    assert.match(
      `${store.problems[0]?.line}:${store.problems[0]?.column}: expected ${store.problems[0]?.expected}, got ${store.problems[0]?.got}`,
      words,
    );
    await assert.rejects(open(), failsWith('config-invalid'));
    const again = await open({ again: true });
    assert.equal(again.current.tuning.hang_ms, 5000);
    await again.close();
  });
}

test('every problem at a start, with line and column', async () => {
  await writeFile(file, 'tuning:\n  hang_ms: 1\n  speed: 2\nwebhock: {}\n');
  await assert.rejects(open(), (error: ReelError) => {
    const { problems } = error.details as { problems: { line: number; column: number; key: string }[] };
    assert.deepEqual(
      problems.map(({ line, column, key }) => [line, column, key]),
      [
        [2, 3, 'tuning.hang_ms'],
        [3, 3, 'tuning.speed'],
        [4, 1, 'webhock'],
      ],
    );
    return failsWith('config-invalid', /at 2:3 tuning\.hang_ms: .*, and 2 more$/)(error);
  });
});

test('locked: no change from here, with the reason; the file itself can be edited', async () => {
  await patch({ tuning: { hang_ms: 5000 } });
  await writeFile(`${file}.locked`, 'works until friday \u0007(ops)\nmore\n');
  const locked = failsWith(
    'config-locked',
    /reelvault\.yaml\.locked, made by user \d+ at 20.*works until friday \(ops\)/,
  );
  await assert.rejects(patch({ tuning: { hang_ms: 6000 } }), locked);
  await assert.rejects(change('tuning: {}\n'), locked);
  await assert.rejects(store.rollback(1, 'test'), locked);
  await assert.rejects(store.confirm('x'), locked);
  await writeFile(file, 'tuning: {hang_ms: 7000}\n');
  await store.refresh();
  assert.equal(store.current.tuning.hang_ms, 7000);
  await unlink(`${file}.locked`);
  await symlink('/nowhere', `${file}.locked`);
  await assert.rejects(patch({ tuning: { hang_ms: 6000 } }), failsWith('config-locked'));
  await unlink(`${file}.locked`);
  await patch({ tuning: { hang_ms: 6000 } });
});

test('of two writers the second is refused; so is one that does not know of a change by hand', async () => {
  const tag = await store.readTag();
  const both = await Promise.allSettled([
    patch({ tuning: { hang_ms: 5000 } }, tag),
    patch({ tuning: { hang_ms: 6000 } }, tag),
  ]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  assert.equal((both[1] as PromiseRejectedResult).reason.code, 'config-changed');
  const seen = await store.readTag();
  await writeFile(file, 'tuning: {hang_ms: 7000}\n');
  await assert.rejects(change('tuning: {}\n', seen), failsWith('config-changed'));
  assert.equal(store.current.tuning.hang_ms, 7000);
});

test('one part refuses: all others have the former configuration again, and the file is as it was', async () => {
  const has = [0, 0];
  store.onChange('first', ({ tuning }) => {
    has[0] = tuning.hang_ms;
  });
  store.onChange('second', ({ tuning }) => {
    if (tuning.hang_ms === 6000) throw new ReelError('io-error', { expected: 'a disk', got: 'none' });
    has[1] = tuning.hang_ms;
  });
  await patch({ tuning: { hang_ms: 5000 } });
  const text = await readFile(file, 'utf8');
  await assert.rejects(patch({ tuning: { hang_ms: 6000 } }), failsWith('config-refused', /second .* a disk/));
  assert.deepEqual(has, [5000, 5000]);
  assert.equal(await readFile(file, 'utf8'), text);
  assert.equal(store.current.tuning.hang_ms, 5000);
  assert.deepEqual(await readdir(folder), ['history', 'reelvault.yaml']);
  await writeFile(file, 'tuning: {hang_ms: 6000}\n');
  await store.refresh();
  assert.match(store.problems[0]?.expected ?? '', /second to take the configuration/);
  assert.deepEqual(has, [5000, 5000]);
});

test('a directory that cannot be written: refused with words before any part is asked', async () => {
  let asked = false;
  store.onChange('part', () => {
    asked = true;
  });
  await rm(folder, { recursive: true });
  await assert.rejects(patch({ tuning: { hang_ms: 6000 } }), failsWith('config-unwritable', /ENOENT/));
  assert.equal(asked, false);
  await import('node:fs/promises').then((fs) => fs.mkdir(folder));
});

test('killed between temporary file and rename: the old file holds, and the leftover goes at the next start', async () => {
  await patch({ tuning: { hang_ms: 5000 } });
  await writeFile(path.join(folder, '.reelvault.yaml.0123456789abcdef'), 'tuning: {hang_ms: 9000}\n');
  await writeFile(path.join(folder, '.reelvault.yaml.swp'), 'an editor');
  await reopen();
  assert.equal(store.current.tuning.hang_ms, 5000);
  assert.deepEqual((await readdir(folder)).sort(), ['.reelvault.yaml.swp', 'history', 'reelvault.yaml']);
});

test('history: back to a version, which is a version again; one that is not there', async () => {
  await patch({ tuning: { hang_ms: 5000 } });
  await patch({ tuning: { hang_ms: 6000 } });
  const { changes } = await store.rollback(1, 'test');
  assert.deepEqual(
    changes.map(({ key, to }) => [key, to]),
    [['tuning.hang_ms', 5000]],
  );
  assert.equal(await readFile(file, 'utf8'), 'tuning:\n  hang_ms: 5000\n');
  assert.deepEqual(
    (await store.history.list()).map(({ id, how }) => [id, how]),
    [
      [3, 'rollback'],
      [2, 'change'],
      [1, 'change'],
    ],
  );
  await assert.rejects(store.rollback(9, 'test'), failsWith('not-found'));
});

test('what the environment sets: a change is in the file, and says that it does nothing', async () => {
  await reopen({ given: ['hangMs'], settings: { hangMs: 9000 } });
  const { changes } = await patch({ tuning: { hang_ms: 5000 } });
  assert.equal(changes[0]?.applies, 'not while the environment sets it');
  assert.equal(store.current.tuning.hang_ms, 9000);
  assert.deepEqual([...store.overridden], [['tuning.hang_ms', 'hangMs']]);
});

test('secrets: a text that was shown can be edited and saved, and keeps them', async () => {
  const text = 'webhook:\n  urls:\n    - https://a.example/marked-1 # first\n    - "https://b.example/marked-2,x"\n';
  await change(text);
  const shown = withoutSecrets(store.text);
  assert.ok(!shown.includes('marked'), shown);
  await change(shown.replace('# first', '# still the first'));
  assert.equal(await readFile(file, 'utf8'), text.replace('# first', '# still the first'));
  await change('webhook: {urls: ["(secret 2)", https://c.example/]}\n');
  assert.deepEqual(store.current.webhook.urls, ['https://b.example/marked-2,x', 'https://c.example/']);
  await assert.rejects(change('webhook: {urls: ["(secret 7)"]}\n'), failsWith('config-invalid', /none of this kind/));
  // The mark of one kind of secret in the place of another would move it to where somebody may read it.
  await assert.rejects(
    change('tuning: {episodes_url: "(secret 1)"}\n'),
    failsWith('config-invalid', /none of this kind/),
  );
  await assert.rejects(change('tuning: {default_volume: "(secret 1)"}\n'), failsWith('config-invalid'));
});
