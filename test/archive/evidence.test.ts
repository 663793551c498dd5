import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { linkOf } from '../../src/archive/evidence/chain-check.ts';
import { publicKeysOf } from '../../src/archive/evidence/public-keys.ts';
import { decodeStatement, signatureBytes } from '../../src/archive/evidence/signature.ts';
import { type Proof, verifyEvidence } from '../../src/archive/evidence/verify.ts';
import { markerPath, reelPath } from '../../src/archive/reel.ts';
import { clip } from '../ingest/clip.ts';
import { until } from '../ingest/host.ts';
import { filesOf, RecordedVolume, removeCopy, tenOClock } from './recorded.ts';

let volume: RecordedVolume;
before(async () => {
  volume = await RecordedVolume.start();
  for (const hour of [0, 1, 2]) await volume.record('cam', tenOClock + hour);
});
after(() => volume.stop());

const keysOf = (of: RecordedVolume) => publicKeysOf(of.host.keys.list().map(({ publicKey }) => publicKey));
const verify = (of: RecordedVolume, below = 'dvr', options: object = {}): Proof =>
  verifyEvidence(path.join(of.root, below), { keys: keysOf(of), ...options });
const told = ({ problems }: Proof): string[][] => problems.map((one) => [one.code, path.basename(one.path)]);
const middle = filesOf('cam', tenOClock + 1);

test('reels of three hours are signed as they are closed, each with the one before in its signature', () => {
  const proof = verify(volume);
  assert.deepEqual(told(proof), []);
  assert.ok(proof.proved);
  assert.deepEqual(
    proof.reels.map(({ number, recovered, hour }) => [number, recovered, hour?.slice(11, 16)]),
    [
      [1, false, '10:00'],
      [2, false, '11:00'],
      [3, false, '12:00'],
    ],
  );
  for (const { segments, proved } of proof.reels) assert.ok(segments > 1 && proved === segments);
});

test('one reel alone, and a copy under other names, prove themselves', () => {
  const directory = volume.copy();
  try {
    const flat = path.join(directory, 'flat');
    mkdirSync(flat);
    for (const [ext, name] of Object.entries(middle))
      renameSync(path.join(directory, 'volume', name), path.join(flat, `clip of Saturday.${ext}`));
    const proof = verifyEvidence(path.join(flat, 'clip of Saturday.ts'), { keys: keysOf(volume) });
    assert.deepEqual([proof.proved, proof.reels.length, proof.reels[0]?.number], [true, 1, 2]);
  } finally {
    removeCopy(directory);
  }
});

test('one other byte in a reel, an index or a signature is found, and the file is named', async () => {
  for (const [ext, name] of Object.entries(middle)) {
    const length = volume.read(name).length;
    const step = ext === 'ts' ? Math.ceil(length / 40) : ext === 'idx' ? 5 : 1;
    for (let at = 0; at < length; at += step) {
      const proof = await volume.flipped(name, at, () => verify(volume, middle.ts));
      assert.equal(proof.proved, false, `byte ${at} of ${name}`);
      assert.ok(
        proof.problems.some((one) => one.path.endsWith(name)),
        `byte ${at} of ${name}: ${JSON.stringify(told(proof))}`,
      );
    }
  }
  assert.ok(verify(volume).proved, 'the files are as they were');
});

test('one bad segment: the others of its reel are proved, and other streams do not count where one is asked for', async () => {
  await volume.record('beside', tenOClock, { evidence: false });
  const bad = await volume.flipped(middle.ts, 10_000, () => verify(volume, 'dvr', { stream: 'cam' }));
  assert.deepEqual(told(bad), [['bytes-differ', '11.ts']]);
  const reel = bad.reels[1];
  assert.equal(reel?.proved, (reel?.segments ?? 0) - 1);
  assert.match(bad.problems[0]?.hint ?? '', /another copy/);
  assert.equal(verify(volume, 'dvr', { stream: 'cam' }).outcome, 'proved');
  assert.equal(verify(volume, 'dvr/beside').outcome, 'not-proved', 'nothing of it is');
  rmSync(path.join(volume.root, 'dvr/beside'), { recursive: true });
});

test('a reel that is being recorded has no signature, and nothing else is said of it', async () => {
  await volume.host.recorder.put('live', { evidence: true });
  volume.at(tenOClock + 3);
  const session = await volume.host.recorder.openSession('live', 'test');
  session.append((await clip(4)).bytes);
  await until('durable segments', () => session.status().segments > 1);
  const proof = verify(volume, 'dvr/live');
  await session.finish();
  for (const name of ['dvr', '.reelvault/evidence']) rmSync(path.join(volume.root, name, 'live'), { recursive: true });
  assert.deepEqual(told(proof), [['signature-missing', '13.sig']]);
  assert.match(proof.problems[0]?.hint ?? '', /being recorded/);
});

test('a reel taken out is found, also at the end of a range', () => {
  const directory = volume.copy();
  try {
    const dvr = path.join(directory, 'volume/dvr');
    for (const name of Object.values(middle)) rmSync(path.join(directory, 'volume', name));
    const keys = keysOf(volume);
    assert.deepEqual(told(verifyEvidence(dvr, { keys })), [['chain-hole', '12.sig']]);
    const upTo = { keys, fromHour: tenOClock, toHour: tenOClock + 1 };
    assert.deepEqual(told(verifyEvidence(dvr, upTo)), [['chain-hole', '12.sig']], 'the hole is in the range');
    assert.ok(verifyEvidence(dvr, { keys, toHour: tenOClock }).proved, 'and not in this one');
    assert.throws(() => verifyEvidence(dvr, { keys, fromHour: tenOClock + 1, toHour: tenOClock + 1 }), /of this range/);
  } finally {
    removeCopy(directory);
  }
});

test('files of two reels exchanged are found', () => {
  const directory = volume.copy();
  try {
    const at = (name: string) => path.join(directory, 'volume', name);
    const last = filesOf('cam', tenOClock + 2);
    const swap = (one: string, other: string): void => {
      renameSync(at(one), at('aside'));
      renameSync(at(other), at(one));
      renameSync(at('aside'), at(other));
    };
    const keys = keysOf(volume);
    for (const ext of ['ts', 'idx', 'sig'] as const) {
      swap(middle[ext], last[ext]);
      // The same clip in both: the bytes of the reels are the same, and only where they are told apart can an exchange show.
      const same = ext === 'ts' && volume.read(middle.ts).equals(volume.read(last.ts));
      assert.equal(verifyEvidence(at('dvr'), { keys }).proved, same, ext);
      swap(middle[ext], last[ext]);
    }
    assert.ok(verifyEvidence(at('dvr'), { keys }).proved);
  } finally {
    removeCopy(directory);
  }
});

test('another key proves nothing, and what is no key is refused', () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const other = publicKeysOf([String(publicKey.export({ type: 'spki', format: 'pem' }))]);
  const proof = verifyEvidence(path.join(volume.root, 'dvr'), { keys: other });
  assert.deepEqual(
    proof.problems.map(({ code }) => code),
    ['signature-key', 'signature-key', 'signature-key'],
  );
  assert.ok(proof.reels.every(({ proved }) => proved === 0));
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' });
  assert.throws(() => publicKeysOf([String(rsa)]), /a key of type rsa/);
  assert.throws(() => publicKeysOf(['no key']), /got none/);
});

test('a reel of sessions with and without evidence: signed whole, and only what was recorded with evidence is proved', async () => {
  await volume.record('mixed', tenOClock + 5);
  const name = filesOf('mixed', tenOClock + 5);
  const first = decodeStatement(volume.read(name.sig));
  await volume.record('mixed', tenOClock + 5, { evidence: false, seconds: 60 });
  const second = decodeStatement(volume.read(name.sig));
  assert.deepEqual([first?.number, second?.number], [1, 1], 'it keeps its place in the chain');
  assert.ok((second?.records ?? 0) > (first?.records ?? 0));
  const proof = verify(volume, 'dvr/mixed');
  assert.deepEqual([proof.outcome, proof.proved, told(proof)], ['partly', false, [['no-evidence', '15.ts']]]);
  assert.deepEqual([proof.reels[0]?.proved, proof.reels[0]?.segments], [first?.records, second?.records]);
  const length = volume.read(name.ts).length;
  const late = await volume.flipped(name.ts, length - 1000, () => verify(volume, 'dvr/mixed'));
  assert.equal(late.outcome, 'not-proved');
  assert.deepEqual(told(late)[0], ['bytes-differ', '15.ts'], 'by its CRC32C');
  // The next hour goes on from the signature that was made last, although it is without evidence: then it has none.
  await volume.record('mixed', tenOClock + 6, { evidence: false });
  await volume.record('mixed', tenOClock + 7);
  assert.deepEqual(
    verify(volume, 'dvr/mixed').reels.map(({ number }) => number),
    [1, null, 2],
  );
});

test('a signed reel exchanged for an older signed state of it is found by the reel after it', async () => {
  await volume.record('older', tenOClock);
  const { ts, idx, sig } = filesOf('older', tenOClock);
  const former = [ts, idx, sig].map((name) => [name, volume.read(name)] as const);
  await volume.record('older', tenOClock, { seconds: 60 });
  await volume.record('older', tenOClock + 1);
  assert.ok(verify(volume, 'dvr/older').proved);
  for (const [name, bytes] of former) volume.write(name, bytes);
  assert.deepEqual(told(verify(volume, 'dvr/older')), [['chain-broken', '11.sig']]);
});

test('a session over the turn of the hour: the closed reel is signed while the next is written', async () => {
  await volume.host.recorder.put('turn', { evidence: true });
  volume.at(tenOClock, 3590);
  const session = await volume.host.recorder.openSession('turn', 'test');
  const { bytes } = await clip(4);
  session.append(bytes);
  volume.at(tenOClock + 1, 10);
  session.append(bytes);
  session.append(bytes);
  const { sig } = filesOf('turn', tenOClock);
  const signed = (): boolean => {
    try {
      return volume.read(sig).length === signatureBytes;
    } catch {
      return false;
    }
  };
  await until('the signature of the hour before', signed);
  assert.ok((await volume.host.recorder.get('turn')).recording);
  await session.finish();
  const proof = verify(volume, 'dvr/turn');
  assert.ok(proof.proved);
  assert.deepEqual(
    proof.reels.map(({ number, recovered }) => [number, recovered]),
    [
      [1, false],
      [2, false],
    ],
  );
});

test('a reel that a crash left open is signed when it is recovered, and says so', async () => {
  await volume.host.recorder.put('torn', { evidence: true });
  volume.at(tenOClock + 3);
  const session = await volume.host.recorder.openSession('torn', 'test');
  session.append((await clip(4)).bytes);
  await until('durable segments', () => session.status().segments > 1);
  const directory = volume.copy(); // a crash at this moment
  await session.finish();
  const next = await RecordedVolume.start(directory);
  try {
    await next.host.recorder.detachVolume('main', { drain: true });
    const proof = verify(next, 'dvr/torn');
    assert.deepEqual(told(proof), []);
    assert.deepEqual([proof.reels[0]?.recovered, proof.reels[0]?.number], [true, 1]);
    assert.deepEqual(keysOf(next), keysOf(volume), 'with the same key as before');
    assert.throws(() => statSync(path.join(next.root, markerPath('torn'))));
  } finally {
    await next.stop();
    removeCopy(directory);
  }
});

test('a signature that a crash kept from being made, or its head, is made at the next attach; no number is given twice', async () => {
  for (const lost of [[filesOf('cam', tenOClock + 2).sig], ['.reelvault/evidence/cam']]) {
    const directory = volume.copy();
    const head = path.join(directory, 'volume/.reelvault/evidence/cam');
    for (const name of lost) rmSync(path.join(directory, 'volume', name));
    // As it stood before the newest reel was signed.
    const second = path.join(directory, 'volume', filesOf('cam', tenOClock + 1).sig);
    if (lost[0]?.endsWith('.sig') === true) {
      const bytes = readFileSync(second);
      const statement = decodeStatement(bytes);
      assert.ok(statement);
      writeFileSync(head, `2 ${tenOClock + 1} ${linkOf(statement, bytes).digest.toString('hex')}\n`);
    }
    const next = await RecordedVolume.start(directory);
    try {
      await next.record('cam', tenOClock + 4);
      const proof = verify(next, 'dvr/cam');
      assert.deepEqual(told(proof), [], lost.join());
      assert.deepEqual(
        proof.reels.map(({ number }) => number),
        [1, 2, 3, 4],
      );
      assert.equal(proof.reels[2]?.recovered, lost[0]?.endsWith('.sig'));
    } finally {
      await next.stop();
      removeCopy(directory);
    }
  }
});

test('a new key signs from then on in the same chain; the old one stays listed, and its private key is gone', async () => {
  const own = await RecordedVolume.start();
  try {
    await own.record('cam', tenOClock);
    const old = keysOf(own);
    const made = await own.host.keys.rotate();
    await own.record('cam', tenOClock + 1);
    assert.deepEqual(
      own.host.keys.list().map(({ retiredAt }) => retiredAt === null),
      [false, true],
    );
    assert.ok(verify(own).proved, 'with both keys');
    const proof = verifyEvidence(path.join(own.root, 'dvr'), { keys: old });
    assert.deepEqual(told(proof), [['signature-key', '11.sig']]);
    assert.equal(proof.reels[1]?.key, made.id);
    const file = path.join(own.host.directory, 'evidence/key.pk8');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const again = await RecordedVolume.start(own.copy());
    assert.deepEqual(again.host.keys.list(), own.host.keys.list(), 'as it was after a restart');
    assert.equal(again.host.keys.signing.id.toString('hex'), made.id);
    await again.stop();
    removeCopy(again.host.directory);
  } finally {
    await own.stop();
  }
});

test('without evidence nothing is signed, and no chain is begun', async () => {
  await volume.record('plain', tenOClock, { evidence: false });
  assert.throws(() => volume.read(filesOf('plain', tenOClock).sig), /ENOENT/);
  assert.throws(() => volume.read('.reelvault/evidence/plain'), /ENOENT/);
  assert.ok(volume.read(reelPath('plain', tenOClock)).length > 0);
});
