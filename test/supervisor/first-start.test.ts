/** The password of the admin is told once: a first start that fails must not keep one that nobody has seen. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { loadSettings } from '../../src/config/load.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';

test('a first start that fails for its datapath, and the next one, which tells a password', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'reelvault-first-'));
  const datapath = path.join(root, 'datapath');
  const settings = loadSettings({
    REELVAULT_DATAPATH: datapath,
    REELVAULT_STATE: path.join(root, 'state'),
    REELVAULT_RUNTIME: path.join(root, 'run'),
    REELVAULT_LISTEN: '127.0.0.1:0',
  });
  const log = new PassThrough();
  const supervisor = () => new Supervisor({ settings, log, onEvent: () => {} });
  try {
    await assert.rejects(supervisor().start(), { code: 'config-invalid' });
    assert.equal(log.read(), null, 'what the error says is not logged as well');
    log.resume();
    await mkdir(datapath);
    const second = supervisor();
    const { user, password } = await second.start();
    await second.stop();
    assert.equal(user, 'admin');
    assert.ok((password ?? '').length >= 20);
    const third = supervisor();
    assert.equal((await third.start()).password, undefined);
    await third.stop();
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
