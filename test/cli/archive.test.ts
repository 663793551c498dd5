/** `archive retention | episode | thin` against a real service, on recordings that were laid into its volume. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { hourOf, hourPath } from '../../src/archive/reel.ts';
import { run as segments, TemporaryVolume } from '../archive/fixtures.ts';
import { TestService } from './service.ts';

const thisHour = hourOf(Date.now() * 1000);
/** Hours ago. */
const recorded = [100, 80, 60, 40, 20, 10];

describe('archive', { timeout: 1_200_000 }, () => {
  let service: TestService;
  let root = '';

  const done = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await service.run(args);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const json = async (...args: string[]) => JSON.parse(await done('archive', ...args, '--json'));
  const there = (): number[] =>
    recorded.filter((ago) => existsSync(path.join(root, `dvr/cam/${hourPath(thisHour - ago)}.ts`)));
  /** A catalog that was just made may not be complete yet. */
  const settled = async (...args: string[]) => {
    for (;;) {
      const { code, stdout, stderr } = await service.run(['archive', ...args, '--json']);
      if (code === 0 || code === 7) return { code, answer: JSON.parse(stdout) };
      assert.equal(JSON.parse(stderr).error.code, 'catalog-unavailable');
    }
  };

  before(async () => {
    service = await TestService.create();
    await service.start();
    const made = JSON.parse(await done('volume', 'create', 'main', '--size', '64M', '--json'));
    root = made.mountPoint;
    const ground = new TemporaryVolume();
    try {
      for (const ago of recorded) ground.reel('cam', segments(thisHour - ago, 3));
      await mkdir(path.join(root, 'dvr'), { recursive: true });
      await cp(path.join(ground.root, 'dvr/cam'), path.join(root, 'dvr/cam'), { recursive: true });
    } finally {
      await ground.remove();
    }
    const { uid, gid } = await stat(path.join(root, 'dvr'));
    await promisify(execFile)('chown', ['-R', `${uid}:${gid}`, path.join(root, 'dvr/cam')]);
    // The catalog does not notice what is laid in by hand: the next opening makes it anew, where it is there by now.
    await rm(path.join(root, '.reelvault/catalog.sqlite'), { force: true });
    await done('volume', 'lock', 'main');
    await done('volume', 'open', 'main');
  });
  after(() => service.destroy(['main']));

  test('a run deletes what is too old, but no episode', async () => {
    const from = String((thisHour - 80) * 3600 + 1200);
    const to = String((thisHour - 80) * 3600 + 1800);
    const added = await json('episode', 'add', 'cam', '--from', from, '--to', to, '--id', 'final', '--keep', '1d');
    assert.deepEqual([added.id, added.from, added.expired], ['final', Number(from), false]);
    assert.match(await done('archive', 'episode', 'list'), /^final +cam/m);

    assert.match(await done('archive', 'retention', 'set', '--max-age', '50h'), /^max age +50h$/m);
    const trial = await settled('retention', 'run', '--dry-run');
    assert.deepEqual([trial.answer.reels, trial.answer.dryRun], [2, true]);
    assert.deepEqual(there(), recorded);
    await settled('retention', 'run');
    assert.deepEqual(there(), [80, 40, 20, 10]);
  });

  test('thin frees what it is asked for, and says what is missing', async () => {
    const trial = await settled('thin', '--bytes', '1', '--urgency', '2', '--dry-run');
    assert.deepEqual([trial.code, trial.answer.reels], [0, 1]);
    const none = await settled('thin', '--bytes', '1G', '--urgency', '1');
    assert.deepEqual([none.code, none.answer.short > 0], [7, true]);
    assert.deepEqual(there(), [80, 20, 10]);
    const { code, stderr } = await service.run(['archive', 'thin', '--bytes', '1G', '--urgency', '4', '--json']);
    assert.deepEqual([code, JSON.parse(stderr).error.code], [5, 'purge-too-large']);
    await settled('thin', '--bytes', '1G', '--urgency', '4', '--allow-most');
    assert.deepEqual(there(), [80]);
  });

  test('events and audit trail tell what was deleted, and why', async () => {
    const events = (await done('events', '--json', '--type', 'archive.*')).trim().split('\n');
    const types = events.map((line) => JSON.parse(line).type);
    for (const type of ['archive.episode.added', 'archive.rules.changed', 'archive.purged'])
      assert.ok(types.includes(type), type);
    const { entries } = JSON.parse(await done('audit', 'list', '--json'));
    const acts = entries.map(({ act }: { act: string }) => act);
    assert.ok(acts.includes('archive.purged') && acts.includes('POST /api/v1/volumes/:name/thin'));
  });

  test('rules and episodes lie in the volume: after a lock and an open they are there', async () => {
    await done('archive', 'retention', 'set', '--stream', 'cam', '--share', '2');
    await done('volume', 'lock', 'main');
    const { code, stderr } = await service.run(['archive', 'retention', 'show', '--json']);
    assert.deepEqual([code, JSON.parse(stderr).error.code], [5, 'volume-state']);
    await done('volume', 'open', 'main');
    const { rules } = await json('retention', 'show');
    assert.deepEqual([rules.maxAgeSeconds, rules.streams], [50 * 3600, { cam: { share: 2 } }]);
    assert.equal((await json('episode', 'list')).episodes.length, 1);
    assert.equal((await json('episode', 'remove', 'final')).removed, true);
    assert.equal((await json('episode', 'remove', 'final')).removed, false);
  });

  test('rebuild finds what was laid in by hand, and the state is told', async () => {
    const ground = new TemporaryVolume();
    try {
      ground.reel('garden', segments(thisHour - 5, 3));
      await cp(path.join(ground.root, 'dvr/garden'), path.join(root, 'dvr/garden'), { recursive: true });
    } finally {
      await ground.remove();
    }
    const { uid, gid } = await stat(path.join(root, 'dvr'));
    await promisify(execFile)('chown', ['-R', `${uid}:${gid}`, path.join(root, 'dvr/garden')]);
    const { state, rebuild, problem } = await json('rebuild', 'main');
    assert.deepEqual([state, rebuild.streams, rebuild.streamsDone, problem], ['ready', 2, 2, null]);
    assert.match(await done('archive', 'rebuild', 'main'), /^main: the catalog has \d+ reels of 2 streams$/m);
    const none = await service.run(['archive', 'rebuild', 'none', '--json']);
    assert.equal(JSON.parse(none.stderr).error.code, 'volume-state');
  });

  test('a wrong use says what would be right', async () => {
    for (const args of [
      ['retention', 'set'],
      ['retention', 'set', '--share', '2'],
      ['retention', 'set', '--stream', 'cam', '--free-minutes', '5'],
      ['retention', 'set', '--max-age', '5'],
      ['episode', 'add', 'cam', '--from', '5', '--to', '4'],
      ['thin', '--bytes', '1G', '--urgency', '5'],
      ['thin'],
    ])
      assert.equal((await service.run(['archive', ...args])).code, 2, args.join(' '));
  });
});
