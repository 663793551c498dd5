/** Bindings: a TPM, kill -9 of the helper after each step of a bind, and the ways out. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../src/exec/run.ts';
import type { Requests } from '../../src/helper/protocol.ts';
import { type Helper, nothingLeft, Place } from '../helper/harness.ts';
import { bytes, KeyedVolume } from './keys.ts';
import { Tang } from './tang.ts';

const engine = 'userspace';

describe('bindings', () => {
  let place: Place;
  let tang: Tang;
  let thumbprint: string;
  let volume: KeyedVolume;

  const bind = (more: Partial<Requests['unlock-bind']> = {}): Requests['unlock-bind'] & { verb: 'unlock-bind' } => ({
    ...{ verb: 'unlock-bind', name: volume.name, current: 'passphrase', pin: 'tang', url: tang.url, thumbprint },
    ...more,
  });
  const unlock = async ({ client }: Helper) => {
    const { result, fd } = await client.call({ verb: 'unlock', name: volume.name, engine });
    closeSync(fd);
    await client.call({ verb: 'lock', name: volume.name });
    return result.openedBy;
  };

  before(async () => {
    place = await Place.make();
    tang = new Tang(place.root);
    await tang.start();
    volume = new KeyedVolume(place, 'v', engine);
    await place.withHelper(async (helper) => {
      await volume.create(helper, 'phrase');
      const { result } = await helper.client.call({ verb: 'unlock-tang', url: tang.url });
      thumbprint = result.thumbprints[0] ?? '';
    });
  });
  after(async () => {
    await tang.stop();
    await place.destroy();
  });

  test('kill -9 after each step of a bind: no slot without a key, and the same call again finishes', async () => {
    for (const step of ['bind-wrapped', 'bind-slot', 'bind-token', 'bind-backup']) {
      const helper = await place.helper({ crashAfter: step });
      await assert.rejects(helper.client.call(bind(), bytes('phrase')), { code: 'helper-unavailable' }, step);
      assert.equal(await helper.ended, 'SIGKILL');
      assert.equal(await volume.slotOf('phrase'), 0);
      await place.withHelper(async (next) => {
        const { result } = await next.client.call(bind(), bytes('phrase'));
        assert.equal(result.slot, 1, step);
        assert.equal(result.added, !['bind-token', 'bind-backup'].includes(step), step);
        const { tokens, keyslots } = await volume.luks.dump(volume.container);
        assert.deepEqual([keyslots.length, tokens.filter(({ type }) => type === 'clevis').length], [2, 1], step);
        assert.ok(tokens.every(({ type }) => type !== 'reelvault-binding'));
        await volume.proveSettled();
        assert.deepEqual(await unlock(next), { way: 'tang', slot: 1 }, step);
        const gone = { verb: 'unlock-unbind', name: volume.name, current: 'passphrase', slot: 1 } as const;
        assert.equal((await next.client.call(gone, bytes('phrase'))).result.slot, 1);
        assert.equal((await next.client.call(gone, bytes('phrase'))).result.slot, null);
      });
      const { tokens, keyslots } = await volume.luks.dump(volume.container);
      assert.deepEqual([keyslots.length, tokens.some(({ type }) => type === 'clevis')], [1, false], step);
      await volume.proveSettled();
    }
    assert.deepEqual(await place.leftovers(), nothingLeft);
  });

  test('refused: LUKS1, a wrong key, a slot without a binding, and a machine without Clevis', async () => {
    const old = new KeyedVolume(place, 'old', engine);
    await place.withHelper(async ({ client }) => {
      await old.create({ client } as Helper, 'phrase', { type: 'luks1' });
      const { url } = tang;
      await assert.rejects(client.call(bind({ name: 'old' }), bytes('phrase')), { code: 'luks-unsupported' });
      await assert.rejects(client.call(bind(), bytes('wrong')), { code: 'wrong-key' });
      await assert.rejects(client.call(bind({ url: `${url}/?x` }), bytes('phrase')), { code: 'invalid-argument' });
      await assert.rejects(client.call(bind({ url: 'file:///etc' }), bytes('phrase')), { code: 'invalid-argument' });
      const gone = { verb: 'unlock-unbind', name: 'v', current: 'passphrase', slot: 0 } as const;
      await assert.rejects(client.call(gone, bytes('phrase')), { code: 'invalid-argument' });
    });
    const bare = { unattended: { env: { PATH: '/usr/sbin:/sbin' } } };
    await place.withHelper(async ({ client }) => {
      await assert.rejects(client.call(bind({ pin: 'tpm2' }), bytes('phrase')), { code: 'command-missing' });
    }, bare);
    assert.equal((await volume.luks.dump(volume.container)).keyslots.length, 1);
  });

  test('a hostile token in a header is a way that fails, and no command', async () => {
    const header = { alg: 'dir', kid: 'x', clevis: { pin: 'tang', tang: { url: '-o/tmp/reelvault-evil' } } };
    const jwe = {
      protected: Buffer.from(JSON.stringify(header)).toString('base64url'),
      ...{ encrypted_key: '', iv: 'AA', ciphertext: 'AA', tag: 'AA' },
    };
    const id = await volume.luks.importToken(volume.container, { type: 'clevis', keyslots: ['0'], jwe });
    await place.withHelper(async (helper) => {
      await assert.rejects(unlock(helper), (error: { details: { attempts: { way: string; code: string }[] } }) => {
        const { way, code } = error.details.attempts.at(-1) ?? {};
        assert.deepEqual([way, code], ['clevis', 'invalid-argument']);
        return true;
      });
    });
    await volume.luks.removeToken(volume.container, id);
  });

  test('a TPM: bound to it and its PCRs, opens, and not after a PCR has changed', async () => {
    const directory = path.join(place.root, 'tpm');
    await mkdir(directory);
    const tpm = await startTpm(directory);
    const env = { TPM2TOOLS_TCTI: `swtpm:host=127.0.0.1,port=${tpm.port}` };
    try {
      await place.withHelper(
        async (helper) => {
          const { result } = await helper.client.call(
            { verb: 'unlock-bind', name: 'v', current: 'passphrase', pin: 'tpm2', pcrs: '16' },
            bytes('phrase'),
          );
          assert.equal(result.binding, 'tpm2 sha256:16');
          const list = await run('clevis', ['luks', 'list', '-d', volume.container], { timeoutMs: 30_000 });
          assert.match(list.stdout.toString(), /^1: tpm2 .*"pcr_ids":"16"/);
          assert.deepEqual(await unlock(helper), { way: 'tpm2', slot: 1 });
          const extended = `16:sha256=${'11'.repeat(32)}`;
          await run('tpm2_pcrextend', [extended], { env, timeoutMs: 30_000 });
          await assert.rejects(unlock(helper), { code: 'auto-open-failed' });
          await run('tpm2_pcrreset', ['16'], { env, timeoutMs: 30_000 });
          assert.deepEqual(await unlock(helper), { way: 'tpm2', slot: 1 });
        },
        { unattended: { env } },
      );
    } finally {
      await tpm.stop();
    }
    assert.deepEqual(await place.leftovers(), nothingLeft);
  });
});

/** Two ports side by side, as tpm2-tools expect them. */
const freePair = async (): Promise<number> => {
  for (;;) {
    const [one, other] = [createServer(), createServer()];
    one.listen(0, '127.0.0.1');
    await once(one, 'listening');
    const { port } = one.address() as { port: number };
    other.listen(port + 1, '127.0.0.1');
    const free = await Promise.race([once(other, 'listening'), once(other, 'error').then(() => undefined)]);
    one.close();
    other.close();
    if (free !== undefined) return port;
  }
};

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

const startTpm = async (directory: string): Promise<{ port: number; stop(): Promise<void> }> => {
  const port = await freePair();
  const at = (number: number): string => `type=tcp,port=${number},bindaddr=127.0.0.1`;
  const args = ['socket', '--tpm2', '--tpmstate', `dir=${directory}`, '--server', at(port), '--ctrl', at(port + 1)];
  const child: ChildProcess = spawn('swtpm', [...args, '--flags', 'not-need-init,startup-clear'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  while (!(await answers(port))) {
    assert.equal(child.exitCode, null, 'swtpm ended');
    await sleep(20);
  }
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  return { port, stop };
};
