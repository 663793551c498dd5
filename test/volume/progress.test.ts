/** How far a long call is can be asked while it runs, and never waits for it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { followProgress } from '../../src/volume/manager/follow-progress.ts';
import type { Progress } from '../../src/volume/progress.ts';
import { createRequest, describeEngines, type Helper, Place } from '../helper/harness.ts';
import { beforeName } from './create-steps.ts';

await describeEngines('progress', (engine) => {
  let place: Place;
  let helper: Helper;
  before(async () => {
    place = await Place.make();
    helper = await place.helper();
  });
  after(() => place.destroy());

  const ask = async (name: string): Promise<Progress | null> =>
    (await helper.client.call({ verb: 'progress', name })).result.progress;

  test('the steps of a create are seen in their order while it runs, and nothing before and after', async () => {
    assert.equal(await ask('v'), null);
    let over = false;
    const steps: string[] = [];
    const call = helper.client.call(createRequest(engine)).finally(() => {
      over = true;
    });
    while (!over) {
      const progress = await ask('v');
      assert.equal(await ask('other'), null);
      if (progress !== null) {
        assert.equal(progress.verb, 'create');
        assert.ok(progress.runningMs >= 0);
        if (progress.step !== null && progress.step !== steps.at(-1)) steps.push(progress.step);
      }
      await sleep(2);
    }
    await call;
    assert.equal(await ask('v'), null);
    const known = steps.filter((step) => beforeName.includes(step));
    assert.ok(known.length >= 3, steps.join(' '));
    assert.deepEqual(
      known,
      known.toSorted((one, other) => beforeName.indexOf(one) - beforeName.indexOf(other)),
    );
  });

  test('who follows hears of it, and of its end, also when the call fails', async () => {
    const heard: (string | null)[] = [];
    const onChange = (progress: Progress | null): void => void heard.push(progress?.verb ?? null);
    const follow = { helper: helper.client, name: 'w', onChange, intervalMs: 1 };
    await followProgress(follow, () => helper.client.call(createRequest(engine, { name: 'w' })));
    assert.ok(heard.length >= 2 && heard.slice(0, -1).every((verb) => verb === 'create'), heard.join(' '));
    assert.equal(heard.at(-1), null);
    await assert.rejects(
      followProgress(follow, async () => {
        throw new Error('lost');
      }),
      /lost/,
    );
  });
});
