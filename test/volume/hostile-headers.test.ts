/** Volumes with the headers of `fixtures/containers`: each is refused with its code and in time, and nothing of it is left behind. */
import assert from 'node:assert/strict';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fixtures, generate, key } from '../../fixtures/containers/generate.ts';
import { toReelError } from '../../src/errors.ts';
import { describeEngines, type Helper, openRequest, Place } from '../helper/harness.ts';

const none = { loops: [], mounts: [], processes: [] };
/** Longer than each takes, even on a machine that is busy; a header that makes somebody count for ever takes longer. */
const timeout = 60_000;

await describeEngines('hostile headers', (engine) => {
  let place: Place;
  let helper: Helper;
  before(async () => {
    place = await Place.make();
    // Where the helper makes its temporary files: nobody else's are there.
    process.env.TMPDIR = path.join(place.root, 'tmp');
    await mkdir(process.env.TMPDIR);
    helper = await place.helper();
    await mkdir(path.join(place.storage, 'containers'), { recursive: true });
  });
  after(() => place.destroy());

  const temporary = (): Promise<string[]> => readdir(tmpdir());

  for (const fixture of fixtures)
    test(`${fixture.name}: ${fixture.open}`, { timeout }, async () => {
      const { name } = fixture;
      await generate(place.container(name), fixture);
      const code = await helper.client.call(openRequest(engine, { name, key: 'passphrase' }), key).then(
        () => 'opened',
        (error: unknown) => toReelError(error).code,
      );
      assert.equal(code, engine === 'kernel' ? (fixture.kernel ?? fixture.open) : fixture.open);
      assert.deepEqual(await place.leftovers(), none);
      assert.deepEqual(await temporary(), []);
      const { result } = await helper.client.call({ verb: 'header-check', name });
      if (fixture.dump !== 'reads') assert.notEqual(result.problems.length, 0);
      await rm(place.container(name));
    });
});
