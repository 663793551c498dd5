/** A wall clock that was set back in mid-recording: what is recorded then ends in the future, and the broadcast is over nevertheless. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { hasFlag } from '../../src/archive/segment.ts';
import { segmentFlags } from '../../src/native.ts';
import { clip } from '../ingest/clip.ts';
import { Host } from '../ingest/host.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-clock-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('the live playlist ends as soon after the publisher as ever, also after a restart', async () => {
  let now = Date.UTC(2026, 10, 21, 14, 30);
  let elapsed = 500;
  const start = () => Host.start({ directory, liveLingerMs: 3000, now: () => now, elapsed: () => elapsed });
  const ended = async (of: Host): Promise<boolean> =>
    (await (await fetch(of.url('/cam/index.m3u8'))).text()).includes('#EXT-X-ENDLIST');
  const { bytes } = await clip(2);

  const first = await start();
  try {
    for (const [turn, clock] of [now, now - 3_600_000].entries()) {
      now = clock;
      elapsed += 10_000; // as long as the daemon has been up does not count for a stream that somebody published since
      const session = await first.recorder.openSession('cam', 'test');
      session.append(bytes);
      assert.equal(await ended(first), false, 'somebody publishes');
      await session.finish();
      assert.equal(session.status().clockBehind, turn === 1);
    }
    const newest = await first.recorder.archive('cam').newest('cam');
    assert.ok(newest !== undefined && newest.startUs / 1000 > now + 1_800_000);
    assert.ok(hasFlag(newest, segmentFlags.clockJumped));
    elapsed += 3000;
    assert.equal(await ended(first), false, 'the publisher may come back');
    elapsed += 1;
    assert.equal(await ended(first), true);
  } finally {
    await first.stop();
  }

  elapsed = 7; // another process, another start of its clock
  const second = await start();
  try {
    assert.equal(await ended(second), false, 'whoever published when the daemon stopped may come back');
    elapsed += 3001;
    assert.equal(await ended(second), true);
  } finally {
    await second.stop();
  }
});
