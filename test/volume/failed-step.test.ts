/** A step that fails after it took effect: what it did is undone all the same. */
import assert from 'node:assert/strict';
import { mkdtemp, open, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import pino from 'pino';
import { ReelError } from '../../src/errors.ts';
import { HelperClient } from '../../src/helper/client.ts';
import { helperSocket, startHelper } from '../../src/helper/start.ts';
import { attachedLoops, attachLoop } from '../../src/volume/engine/loop.ts';
import { createRequest, describeEngines, Place, service } from '../helper/harness.ts';

test('a loop device that cannot be read after it was attached does not stay attached', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'reelvault-loop-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = path.join(directory, 'file');
  await writeFile(file, '');
  await truncate(file, 1 << 20);
  await assert.rejects(
    attachLoop(file, { sectorSize: 512 }, async (name) => {
      // as udev, or a luksblock that is starting: it goes away when this is closed
      const looker = await open(`/dev/${name}`);
      setTimeout(() => void looker.close(), 300);
      return undefined;
    }),
    { code: 'io-error' },
  );
  const left = (await attachedLoops()).filter((loop) => loop.backingFile === file);
  assert.deepEqual(left, []);
});

await describeEngines('a create that fails at its last step', (engine) => {
  for (const step of ['half-named', 'named'])
    test(`leaves neither key nor container nor backup: "${step}"`, async (t) => {
      const place = await Place.make();
      t.after(() => place.destroy());
      const server = await startHelper({
        datapath: [place.storage, place.mounts],
        runtime: place.runtime,
        service,
        log: pino({ level: 'silent' }),
        seams: {
          pbkdf: { type: 'pbkdf2', iterations: 1000 },
          afterStep: (reached) => {
            if (reached === step) throw new ReelError('io-error', { expected: 'a synced directory', got: 'EIO' });
          },
        },
      });
      t.after(() => server.close());
      const client = new HelperClient({ socketPath: helperSocket(place.runtime) });
      await assert.rejects(client.call(createRequest(engine)), { code: 'io-error' });
      const directories = ['containers', 'keys', 'headers'].map((each) => readdir(path.join(place.storage, each)));
      assert.deepEqual((await Promise.all(directories)).flat(), []);
      assert.deepEqual(await place.leftovers(), { loops: [], mounts: [], processes: [] });
    });
});
