/** Recovery keys: what is printed is read back however it is typed, and a typo is located before any key is derived. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReelError } from '../../src/errors.ts';
import { formatRecoveryKey, makeRecoveryKey, readRecoveryKey } from '../../src/luks/recovery-key.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const keys = fc.uint8Array({ minLength: 32, maxLength: 32 });
const read = (text: string): string => readRecoveryKey(Buffer.from(text)).toString();
const mistakes = (text: string): unknown => {
  try {
    readRecoveryKey(Buffer.from(text));
  } catch (error) {
    assert.ok(error instanceof ReelError && error.code === 'invalid-argument');
    return error.details.groups;
  }
  return 'none';
};

test('the form is stable: keys are on paper for years', () => {
  const key = Uint8Array.from({ length: 32 }, (_, index) => index * 7 + 1);
  const text = formatRecoveryKey(key).toString();
  assert.equal(text, '0440N-Y5GXV-4GNK1-4EA0C-8X758-AQ33A-D9RQH-GZW65-HPA93-Q8N9T-P2VV1-XHECV-TFD03');
  assert.equal(formatRecoveryKey(new Uint8Array(32)).toString().slice(0, 17), '00000-00001-00002');
});

test('all 256 bits are in the text, in this order', () => {
  fc.assert(
    fc.property(keys, (key) => {
      const groups = formatRecoveryKey(key).toString().split('-');
      assert.deepEqual(
        groups.map((group) => group.length),
        Array.from({ length: 13 }, () => 5),
      );
      const bits = groups.flatMap((group) =>
        [...group.slice(0, 4)].map((each) => alphabet.indexOf(each).toString(2).padStart(5, '0')),
      );
      const expected = [...key].map((byte) => byte.toString(2).padStart(8, '0')).join('');
      assert.equal(bits.join(''), `${expected}0000`);
    }),
  );
  assert.notDeepEqual(makeRecoveryKey(), makeRecoveryKey());
});

test('case, spaces, dashes, line ends and look-alikes do not matter', () => {
  fc.assert(
    fc.property(keys, (key) => {
      const text = formatRecoveryKey(key).toString();
      assert.equal(read(text), text);
      assert.equal(read(`  ${text.toLowerCase().replaceAll('-', ' ')}\r\n`), text);
      assert.equal(read(text.replaceAll('-', '')), text);
      assert.equal(read(text.replaceAll('0', 'o').replaceAll('1', 'l').replace('-', '\n- ')), text);
      assert.equal(read(text.replaceAll('0', 'O').replaceAll('1', 'I')), text);
    }),
  );
});

test('one wrong character anywhere, and two exchanged ones, are noticed in their group', () => {
  const wrongOne = fc.tuple(keys, fc.nat(64), fc.integer({ min: 1, max: 31 }));
  fc.assert(
    fc.property(wrongOne, ([key, place, shift]) => {
      const text = [...formatRecoveryKey(key).toString().replaceAll('-', '')];
      text[place] = alphabet[(alphabet.indexOf(text[place] ?? '') + shift) % 32] ?? '';
      assert.deepEqual(mistakes(text.join('')), [Math.floor(place / 5) + 1]);
    }),
  );
  fc.assert(
    fc.property(keys, fc.nat(12), fc.nat(4), fc.nat(4), (key, group, one, two) => {
      const text = [...formatRecoveryKey(key).toString().replaceAll('-', '')];
      const [a, b] = [group * 5 + one, group * 5 + two];
      fc.pre(text[a] !== text[b]);
      [text[a], text[b]] = [text[b] ?? '', text[a] ?? ''];
      assert.deepEqual(mistakes(text.join('')), [group + 1]);
    }),
  );
});

test('exchanged, missing and overlong groups are noticed, and a character of no alphabet', () => {
  const groups = formatRecoveryKey(new Uint8Array(32).fill(0xa7)).toString().split('-');
  const exchanged = groups.with(2, groups[7] ?? '').with(7, groups[2] ?? '');
  assert.deepEqual(mistakes(exchanged.join('-')), [3, 8]);
  assert.equal(mistakes(groups.slice(1).join('-')), undefined);
  assert.deepEqual(mistakes(groups.with(4, `${groups[4]}0`).join('-')), [5]);
  assert.deepEqual(mistakes(groups.with(12, 'U?!ü').join('-')), [13]);
  assert.equal(mistakes(''), undefined);
});

test('the error does not say what was typed', () => {
  const text = formatRecoveryKey(new Uint8Array(32).fill(0x5c)).toString().split('-');
  assert.throws(
    () => readRecoveryKey(Buffer.from(text.with(3, 'SECRE').join('-'))),
    (error: ReelError) => {
      assert.match(error.message, /group 4/);
      assert.ok(![...text, 'SECRE'].some((group) => JSON.stringify(error.toJSON()).includes(group)));
      return true;
    },
  );
});
