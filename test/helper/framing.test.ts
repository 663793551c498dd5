import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ReelError } from '../../src/errors.ts';
import {
  decodeAnswer,
  encodeAnswer,
  encodeRequest,
  maxJson,
  maxSecrets,
  RequestDecoder,
} from '../../src/helper/framing.ts';

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

test('a request comes out as it went in, however it is cut', () => {
  const secret = fc.uint8Array({ maxLength: 300 });
  const request = fc.record({
    json: fc.jsonValue(),
    secrets: fc.array(secret, { maxLength: 3 }),
    cuts: fc.array(fc.nat(600)),
  });
  fc.assert(
    fc.property(request, ({ json, secrets: given, cuts }) => {
      const frame = encodeRequest(json, given);
      const edges = [0, ...cuts.filter((cut) => cut < frame.length).sort((a, b) => a - b), frame.length];
      const decoder = new RequestDecoder();
      const whole = edges.slice(1).map((end, index) => decoder.push(Buffer.from(frame.subarray(edges[index], end))));
      assert.equal(whole.at(-1), true);
      const taken = decoder.take();
      assert.deepEqual(taken.json, JSON.parse(JSON.stringify(json)));
      assert.deepEqual(
        taken.secrets.map((each) => [...each]),
        given.map((each) => [...each]),
      );
    }),
  );
});

test('a frame that is not whole stays not whole', () => {
  const frame = encodeRequest({ verb: 'probe' }, [Buffer.from('secret')]);
  const decoder = new RequestDecoder();
  for (const byte of frame.subarray(0, -1)) assert.equal(decoder.push(Buffer.from([byte])), false);
  assert.equal(decoder.push(Buffer.from(frame.subarray(-1))), true);
});

test('lengths out of bounds are refused before the bytes come', () => {
  const refuse = (bytes: Buffer): void => {
    assert.throws(() => new RequestDecoder().push(bytes), { code: 'helper-protocol' });
  };
  refuse(u32(maxJson + 1));
  refuse(u32(0xffffffff));
  refuse(Buffer.concat([u32(2), Buffer.from('{}'), u32(maxSecrets + 1)]));
  refuse(Buffer.concat([encodeRequest({}), Buffer.from('x')]));
});

test('secrets that do not fill their part are refused', () => {
  for (const part of [u32(1), Buffer.from('abc'), Buffer.concat([u32(1), Buffer.from('a'), u32(0).subarray(1)])]) {
    const decoder = new RequestDecoder();
    assert.equal(decoder.push(Buffer.concat([u32(2), Buffer.from('{}'), u32(part.length), part])), true);
    assert.throws(() => decoder.take(), { code: 'helper-protocol' });
  }
});

test('garbage is refused or waited for, and nothing else is thrown', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const decoder = new RequestDecoder();
      try {
        if (decoder.push(Buffer.from(bytes))) decoder.take();
      } catch (error) {
        assert.equal((error as ReelError).code, 'helper-protocol');
      }
    }),
  );
});

test('no copy of the secret is left', () => {
  const secret = Buffer.alloc(6000, 0x5a);
  const frame = encodeRequest({ verb: 'probe' }, [secret]);
  const pieces = [frame.subarray(0, 3000), frame.subarray(3000)];
  const decoder = new RequestDecoder();
  for (const piece of pieces) decoder.push(piece);
  const [taken] = decoder.take().secrets;
  assert.ok(taken !== undefined);
  assert.ok(taken.equals(secret));
  assert.ok(frame.every((byte) => byte === 0));
  decoder.zero();
  assert.ok(taken.every((byte) => byte === 0));
});

test('answers: whole, or an error', () => {
  assert.deepEqual(decodeAnswer(encodeAnswer({ ok: true, result: 'ü' })), { ok: true, result: 'ü' });
  const frame = encodeAnswer({ ok: true });
  const notJson = Buffer.concat([u32(1), Buffer.from([0xff])]);
  for (const wrong of [frame.subarray(0, 3), frame.subarray(0, -1), Buffer.concat([frame, frame]), notJson]) {
    assert.throws(() => decodeAnswer(wrong), { code: 'helper-protocol' });
  }
});
