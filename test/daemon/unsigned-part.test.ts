/** Evidence that cannot be signed is told, once for a reason; and told again when it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { SigningKey } from '../../src/archive/evidence/key-store.ts';
import { UnsignedEvidence } from '../../src/daemon/unsigned-part.ts';
import { ReelError } from '../../src/errors.ts';
import { EventBus } from '../../src/events/bus.ts';
import { clip } from '../ingest/clip.ts';
import { Host } from '../ingest/host.ts';

const hour = Date.UTC(2026, 10, 21, 10) / 1000;
const gone = new ReelError('archive-damaged', { expected: 'an Ed25519 key', got: 'ENOENT' });

test('a key that is gone: an event, a metric, recordings go on; with the key again they are signed', async (t) => {
  const bus = new EventBus({ now: Date.now, log: pino({ level: 'silent' }) });
  const told: unknown[] = [];
  bus.subscribe({
    onEvent: ({ type, volume, stream, facts }) =>
      told.push([type, volume, stream, facts.from ?? null, facts.code ?? null]),
  });
  const unsigned: UnsignedEvidence = new UnsignedEvidence({
    recorder: () => host.recorder,
    events: bus,
    log: pino({ level: 'silent' }),
  });
  let key: () => SigningKey = () => {
    throw gone;
  };
  const host: Host = await Host.start({
    now: () => hour * 1000,
    signing: {
      key: () => key(),
      onFailure: (failure) => unsigned.failed(failure),
      onSigned: (archive, stream) => unsigned.signed(archive, stream),
    },
  });
  t.after(() => host.stop());
  await host.recorder.put('cam', { evidence: true });
  const record = async (): Promise<void> => {
    const session = await host.recorder.openSession('cam', 'test');
    session.append((await clip(4)).bytes);
    assert.ok((await session.finish()).segments > 0);
  };
  await record();
  await record();
  assert.deepEqual(told, [['archive.unsigned', 'main', 'cam', hour, 'archive-damaged']], 'once for a reason');
  assert.deepEqual(unsigned.list, [{ volume: 'main', stream: 'cam', code: 'archive-damaged' }]);
  key = () => host.keys.signing;
  await record();
  assert.deepEqual(told.slice(1), [['archive.signed', 'main', 'cam', null, null]]);
  assert.deepEqual(unsigned.list, []);
});
