/** A host never signs over what somebody changed, nor in the place of a signature that somebody took away; what a crash left, it does. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { readHead } from '../../src/archive/evidence/head.ts';
import { publicKeysOf } from '../../src/archive/evidence/public-keys.ts';
import { signReel } from '../../src/archive/evidence/sign-reel.ts';
import { decodeStatement } from '../../src/archive/evidence/signature.ts';
import { verifyEvidence } from '../../src/archive/evidence/verify.ts';
import type { VolumeFiles } from '../../src/archive/volume-files.ts';
import { clip } from '../ingest/clip.ts';
import { filesOf, RecordedVolume, removeCopy, tenOClock } from './recorded.ts';

let volume: RecordedVolume;
let next: RecordedVolume | undefined;
let told: [string, number, string][] = [];
let signed = 0;
const signing = {
  onFailure: ({ hour, error }: { hour: number | undefined; error: { code: string; message: string } }): void =>
    void told.push([error.code, (hour ?? 0) - tenOClock, error.message]),
  onSigned: (): void => {
    signed += 1;
  },
};
beforeEach(async () => {
  [told, signed, next] = [[], 0, undefined];
  volume = await RecordedVolume.start(undefined, signing);
  for (const hour of [0, 1]) await volume.record('cam', tenOClock + hour);
});
afterEach(async () => {
  await volume.stop();
  await next?.stop();
  if (next !== undefined) removeCopy(next.host.directory);
});

const newest = filesOf('cam', tenOClock + 1);
const headFile = '.reelvault/evidence/cam';
const keysOf = (of: RecordedVolume) => publicKeysOf(of.host.keys.list().map(({ publicKey }) => publicKey));
const problems = (of: RecordedVolume): string[] =>
  verifyEvidence(path.join(of.root, 'dvr'), { keys: keysOf(of) }).problems.map(
    (one) => `${one.code} ${path.basename(one.path)}`,
  );
const codes = (): unknown[] => told.map(([code, hour]) => [code, hour]);

/** What is done to the newest signed hour, and what everybody sees of it for ever after. */
const alterations: readonly {
  readonly what: string;
  readonly act: () => void | Promise<void>;
  readonly reason: RegExp;
  readonly seen: readonly string[];
}[] = [
  {
    what: 'a segment and its sums',
    act: () => volume.forge('cam', tenOClock + 1),
    reason: /the index is not the one that was signed; nothing is signed in its place/,
    seen: ['signature-mismatch 11.sig'],
  },
  {
    what: 'a segment and its sums, and the signature is broken',
    act: () => {
      volume.forge('cam', tenOClock + 1);
      flip(newest.sig, 340);
    },
    reason: /the signature does not hold/,
    seen: ['signature-damaged 11.sig', 'chain-broken 12.sig'],
  },
  {
    what: 'a segment and its sums, and the head is gone',
    act: () => {
      volume.forge('cam', tenOClock + 1);
      rmSync(at(headFile));
    },
    reason: /the index is not the one/,
    seen: ['signature-mismatch 11.sig'],
  },
  {
    what: 'the signature is no file of ours any more',
    act: () => volume.write(newest.sig, Buffer.alloc(100)),
    reason: /no signature file/,
    seen: ['signature-damaged 11.sig', 'chain-hole 12.sig'],
  },
  {
    what: 'the signature is gone',
    act: () => rmSync(at(newest.sig)),
    reason: /no signature, number 2/,
    seen: ['signature-missing 11.sig', 'chain-hole 12.sig'],
  },
  {
    what: 'an older signed state of all three files',
    act: async () => {
      const older = Object.values(newest).map((name) => [name, volume.read(name)] as const);
      await volume.record('cam', tenOClock + 1, { seconds: 60 });
      for (const [name, bytes] of older) volume.write(name, bytes);
    },
    reason: /another signature than the one that was made last/,
    seen: ['signature-missing 11.sig', 'chain-broken 12.sig'],
  },
];

const at = (name: string): string => path.join(volume.root, name);
const flip = (name: string, place: number): void => {
  const bytes = volume.read(name);
  bytes[place] = (bytes[place] as number) ^ 1;
  volume.write(name, bytes);
};
const there = (name: string): string | undefined => {
  try {
    return volume.read(name).toString('hex');
  } catch {
    return undefined;
  }
};

for (const { what, act, reason, seen } of alterations)
  test(`not signed anew, and told: ${what}`, async () => {
    await act();
    const before = there(newest.sig);
    await volume.record('cam', tenOClock + 1, { seconds: 600 });
    assert.equal(there(newest.sig), before, 'the signature stays as it is');
    assert.deepEqual(codes()[0], ['evidence-damaged', 1]);
    assert.match(told[0]?.[2] ?? '', reason);
    await volume.record('cam', tenOClock + 2);
    const statement = decodeStatement(volume.read(filesOf('cam', tenOClock + 2).sig));
    assert.equal(statement?.number, 3, 'the chain goes on behind it');
    assert.equal(there(newest.sig), before);
    assert.ok(
      seen.every((one) => problems(volume).includes(one)),
      problems(volume).join(),
    );
    assert.equal(signed, 0, 'nobody says that it is signed now');
  });

test('not signed anew by an open without a session either, and put back it goes on as if nothing had been', async () => {
  const whole = Object.values(newest).map((name) => [name, volume.read(name)] as const);
  volume.forge('cam', tenOClock + 1);
  flip(newest.sig, 340);
  const before = there(newest.sig);
  next = await RecordedVolume.start(volume.copy(), signing);
  await next.host.recorder.detachVolume('main', { drain: true });
  assert.deepEqual(codes(), [['evidence-damaged', 1]]);
  assert.equal(next.read(newest.sig).toString('hex'), before);
  for (const [name, bytes] of whole) volume.write(name, bytes);
  told = [];
  await volume.record('cam', tenOClock + 1, { seconds: 60 });
  assert.deepEqual([codes(), problems(volume)], [[], []]);
});

/** The files of a volume, and a death at the n-th file that is replaced: before it, or right after. */
const dying = (files: VolumeFiles, n: number, after: boolean): VolumeFiles => {
  let count = 0;
  const writeFileAtomic: VolumeFiles['writeFileAtomic'] = async (...args) => {
    count += 1;
    if (count === n && !after) throw new Error('killed');
    await files.writeFileAtomic(...args);
    if (count === n) throw new Error('killed');
  };
  return new Proxy(files, {
    get: (of, key) => {
      if (key === 'writeFileAtomic') return writeFileAtomic;
      const found: unknown = Reflect.get(of, key, of);
      return typeof found === 'function' ? found.bind(of) : found;
    },
  });
};

for (const [what, steps] of [
  ['a reel that went on', 3],
  ['a new reel', 2],
] as const)
  for (let step = 1; step <= steps; step += 1)
    for (const after of [false, true])
      test(`${what}: killed ${after ? 'after' : 'before'} write ${step} of its signature, it is signed at the next start`, async () => {
        const again = steps === 3;
        const hour = tenOClock + (again ? 1 : 2);
        const { sig } = filesOf('cam', hour);
        const [signature, head] = [there(sig), volume.read(headFile)];
        await volume.record('cam', hour, { seconds: 60 });
        volume.write(headFile, head);
        if (signature === undefined) rmSync(at(sig));
        else volume.write(sig, Buffer.from(signature, 'hex'));
        const { jail, keys } = volume.host;
        const known = readHead(jail, 'cam');
        assert.ok(known);
        const killed = signReel({
          ...{ files: dying(jail, step, after), stream: 'cam', hour, head: known, recovered: false },
          ...{ key: keys.signing, keys: () => keysOf(volume), now: () => hour * 3_600_000 },
        });
        await assert.rejects(killed, /killed/);
        next = await RecordedVolume.start(volume.copy(), signing);
        // It goes on before it is signed a second time: what lies there then is neither the first nor the last.
        await next.record('cam', hour, { seconds: 600 });
        await next.record('cam', hour + 1);
        assert.deepEqual([codes(), problems(next)], [[], []]);
        const numbers = verifyEvidence(path.join(next.root, 'dvr'), { keys: keysOf(next) }).reels.map(
          (one) => one.number,
        );
        assert.deepEqual(numbers, again ? [1, 2, 3] : [1, 2, 3, 4]);
        assert.match(next.read(headFile).toString(), /^\d+ \d+ [0-9a-f]{64}\n$/);
      });

test('a key that comes back in the middle of a session: the hour before is signed first', async () => {
  const key: { gone: boolean } = { gone: true };
  next = await RecordedVolume.start(volume.copy(), {
    ...signing,
    key: () => {
      if (key.gone || next === undefined) throw new Error('no key');
      return next.host.keys.signing;
    },
  });
  await next.record('cam', tenOClock + 2);
  next.at(tenOClock + 3);
  const session = await next.host.recorder.openSession('cam', 'test');
  session.append((await clip(4)).bytes);
  key.gone = false;
  await session.finish();
  const proof = verifyEvidence(path.join(next.root, 'dvr'), { keys: keysOf(next) });
  assert.deepEqual(
    proof.reels.map(({ number, recovered }) => [number, recovered]),
    [
      [1, false],
      [2, false],
      [3, true],
      [4, false],
    ],
  );
  assert.ok(proof.proved && signed === 1);
});
