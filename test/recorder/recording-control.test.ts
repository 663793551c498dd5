/** What is kept of orders can be read at the next start. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { lastOrderEnd } from '../../src/recorder/recording-rules.ts';
import { Host } from '../ingest/host.ts';

test('an order for longer than there are dates is refused, and the streams are there at the next start', async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'reelvault-control-'));
  t.after(() => rmSync(directory, { recursive: true }));
  let host = await Host.start({ directory });
  try {
    await host.recorder.put('cam', {});
    for (const until of [lastOrderEnd + 1, 2 ** 53, 1e300])
      await assert.rejects(host.recorder.order('cam', { mode: 'off', until }), { code: 'invalid-argument' });
    assert.equal((await host.recorder.order('cam', { mode: 'off', until: lastOrderEnd })).wanted.until, lastOrderEnd);
    await host.stop();
    host = await Host.start({ directory });
    assert.equal((await host.recorder.get('cam')).wanted.until, lastOrderEnd);
  } finally {
    await host.stop();
  }
});
