/**
 * An archive in an encrypted volume, as it is while the service records into it: what a check finds at each of its levels, what somebody with a copy
 * and the public key can prove, and that players take a copied reel as it is. Damage is done by root, through the mount.
 */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Proof } from '../../src/archive/evidence/verify.ts';
import type { ArchiveCheckView } from '../../src/http/archive-check.ts';
import { crc32c } from '../archive/page-decoder.ts';
import { host } from '../command.ts';
import { countFrames, countPackets, playThrough } from '../ingest/clip.ts';
import { recorded } from './archive.ts';
import { makeClip, Publisher } from './publisher.ts';
import { Service } from './service.ts';

const levels = ['names', 'index', 'bytes'] as const;
const framesASecond = 25;

describe('the archive of an encrypted volume', { timeout: 600_000 }, () => {
  const resources = new AsyncDisposableStack();
  let folder: string;
  let clip: string;
  let service: Service;
  let mountPoint: string;
  /** Of `cam`, closed and signed, and of `live`, which is being written. Below the volume's root, without extension. */
  let cam: string;

  /** The fullest reel of a stream: there are two where the hour turns. */
  const reelOf = async (stream: string): Promise<string> => {
    const root = path.join(mountPoint, 'dvr', stream);
    const names = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.idx'));
    const sizes = await Promise.all(
      names.map(async (name) => ({ name, size: (await stat(path.join(root, name))).size })),
    );
    const { name = '' } = sizes.sort((one, other) => other.size - one.size)[0] ?? {};
    return `dvr/${stream}/${name.slice(0, -4)}`;
  };
  const at = (name: string): string => path.join(mountPoint, name);
  const check = async (level: string): Promise<{ exitCode: number | null; found: string[] }> => {
    const { exitCode, json, error } = await service.cli(['check', 'main', '--level', level]);
    const view = json as ArchiveCheckView;
    assert.equal(view?.state, 'done', JSON.stringify(error));
    return { exitCode, found: view.findings.map(({ code, path: file }) => `${code} ${file}`).sort() };
  };
  const whole = { exitCode: 0, found: [] };
  /** Runs `look` while a byte of a file in the volume is another one. */
  const flipped = async (name: string, place: number, look: () => Promise<void>): Promise<void> => {
    const flip = async (): Promise<void> => {
      const file = await open(at(name), 'r+');
      try {
        const byte = Buffer.alloc(1);
        await file.read(byte, 0, 1, place);
        byte[0] = (byte[0] ?? 0) ^ 0x20;
        await file.write(byte, 0, 1, place);
        await file.sync();
      } finally {
        await file.close();
      }
    };
    await flip();
    await look();
    await flip();
  };
  const publish = async (stream: string, seconds?: number): Promise<Publisher> => {
    const set = await service.cli(['stream', 'set', stream, '--volume', 'main', '--evidence']);
    assert.equal(set.exitCode, 0, JSON.stringify(set.error));
    return Publisher.start(service, stream, clip, seconds);
  };

  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'rv-check-'));
    resources.defer(() => rm(folder, { recursive: true, force: true }));
    clip = await makeClip(folder);
    service = await Service.make();
    resources.defer(() => service.close());
    mountPoint = await service.makeVolume();
    assert.equal((await (await publish('cam', 8)).ended).stderr, '');
    cam = await reelOf('cam');
    await service.until(() => stat(at(`${cam}.sig`)).catch(() => undefined), 'the signature of the closed reel');
    const live = await publish('live');
    resources.defer(() => live.close());
    await recorded(service, 'live', 3);
  });
  after(() => resources.disposeAsync());

  test('no level cries wolf, while a stream is recorded beside', async () => {
    for (const level of [...levels, ...levels]) assert.deepEqual(await check(level), whole, level);
  });

  test('one other byte in a reel is found by the level that reads bytes, and only by it', async () => {
    await flipped(`${cam}.ts`, 100_000, async () => {
      assert.deepEqual(await check('names'), whole);
      assert.deepEqual(await check('index'), whole);
      assert.deepEqual(await check('bytes'), { exitCode: 6, found: [`bytes-differ ${cam}.ts`] });
    });
    assert.deepEqual(await check('bytes'), whole);
  });

  test('one other byte in an index record is found by the level that reads indexes; a recovery mends it', async () => {
    const signed = await readFile(at(`${cam}.idx`));
    const found = { exitCode: 6, found: [`index-record ${cam}.idx`, `signature-mismatch ${cam}.sig`] };
    const record = 96 * 3;
    await flipped(`${cam}.idx`, record + 45, async () => {
      assert.deepEqual(await check('names'), whole);
      assert.deepEqual(await check('index'), found);
      assert.deepEqual(await check('bytes'), found);
      const mended = await service.cli(['archive', 'recover', 'main', `${cam}.ts`]);
      assert.equal(mended.exitCode, 0, JSON.stringify(mended.error));
      const { added, cutBytes, lost, leftOver } = mended.json as Record<string, number>;
      assert.deepEqual([added, cutBytes, lost, leftOver], [1, 0, 0, 0]);
      assert.ok((await readFile(at(`${cam}.idx`))).equals(signed), 'the same record again, from the bytes');
      await writeFile(at(`${cam}.idx`), signed.with(record + 45, (signed[record + 45] ?? 0) ^ 0x20));
    });
    assert.deepEqual(await check('bytes'), whole);
  });

  test('a reel, a range and an export are proved with the public key alone, and every forgery is refused', async () => {
    const copy = path.join(folder, 'export');
    await host('cp', ['-r', at('dvr/cam'), copy]);
    const { json } = await service.cli(['archive', 'key']);
    const key = path.join(folder, 'host.pem');
    await writeFile(key, (json as { keys: { publicKey: string }[] }).keys.map(({ publicKey }) => publicKey).join('\n'));
    const base = path.join(copy, cam.slice('dvr/cam/'.length));
    const verify = async (place: string, ...range: string[]): Promise<Proof & { exitCode: number | null }> => {
      const found = await service.cli(['archive', 'verify', place, '--key', key, ...range]);
      return { ...(found.json as Proof), exitCode: found.exitCode };
    };
    const [year, month, day, hour] = base.split('/').slice(-4);
    const from = `${year}-${month}-${day}T${hour}:00Z`;
    const to = new Date(Date.parse(from.replace('Z', ':00Z')) + 3_600_000).toISOString().replace('.000', '');
    for (const proof of [
      await verify(`${base}.ts`),
      await verify(copy, '--from', from, '--to', to),
      await verify(copy),
    ]) {
      assert.deepEqual([proof.exitCode, proof.proved, proof.problems], [0, true, []]);
      assert.ok(proof.reels.every(({ segments, proved }) => segments > 0 && proved === segments));
    }

    const reel = await readFile(`${base}.ts`);
    const index = await readFile(`${base}.idx`);
    const segments = Array.from({ length: index.length / 96 - 1 }, (_, number) => {
      const record = index.subarray((number + 1) * 96, (number + 2) * 96);
      const offset = Number(record.readBigUInt64LE(0));
      return { record, bytes: reel.subarray(offset, offset + record.readUInt32LE(8)) };
    });
    assert.ok(segments.length >= 4);
    /** A reel and an index that agree with each other in everything, made of these segments. */
    const forge = async (list: readonly { record: Buffer; bytes: Buffer }[]): Promise<void> => {
      let offset = 0;
      const records = list.map(({ record, bytes }, number) => {
        const made = Buffer.from(record);
        made.writeBigUInt64LE(BigInt(offset), 0);
        made.writeUInt32LE(number, 48);
        made.writeUInt32LE(crc32c(made.subarray(0, 92)), 92);
        offset += bytes.length;
        return made;
      });
      await writeFile(`${base}.ts`, Buffer.concat(list.map(({ bytes }) => bytes)));
      await writeFile(`${base}.idx`, Buffer.concat([index.subarray(0, 96), ...records]));
    };
    const refused = async (place: string, code: string): Promise<void> => {
      const { exitCode, proved, problems } = await verify(place);
      assert.deepEqual([exitCode, proved], [6, false]);
      assert.ok(
        problems.some((problem) => problem.code === code),
        JSON.stringify(problems),
      );
    };
    const [one, two, three, ...rest] = segments as [(typeof segments)[0], (typeof segments)[0], (typeof segments)[0]];
    const timesOf = (from: { record: Buffer }, to: { record: Buffer; bytes: Buffer }) => {
      const record = Buffer.from(to.record);
      from.record.copy(record, 16, 16, 24);
      return { record, bytes: to.bytes };
    };
    await forge([one, three, ...rest]); // a segment cut out
    await refused(copy, 'signature-mismatch');
    await forge([one, timesOf(two, three), timesOf(three, two), ...rest]); // two exchanged, each at the other's time
    await refused(`${base}.ts`, 'signature-mismatch');
    await forge(segments.slice(0, -1)); // the last one cut off
    await refused(copy, 'signature-mismatch');
    await forge(segments);
    assert.equal((await verify(copy)).exitCode, 0, 'put together as it was');
    await writeFile(`${base}.ts`, reel.with(1000, (reel[1000] ?? 0) ^ 1));
    await refused(copy, 'bytes-differ');
  });

  test('a copied reel plays as it is: a closed one whole, one that is being written up to its end', async () => {
    const closed = path.join(folder, 'closed.ts');
    await copyFile(at(`${cam}.ts`), closed);
    assert.equal(await countFrames(closed), 8 * framesASecond);
    assert.equal(await playThrough(closed), '');
    const publisher = await publish('now');
    try {
      const acknowledged = (await recorded(service, 'now', 4)).length;
      const open = path.join(folder, 'open.ts');
      await host('cp', [at(`${await reelOf('now')}.ts`), open]);
      const packets = await countPackets(open);
      // Segments of a second each; where the hour has just turned, the fuller of two reels was copied.
      assert.ok(packets >= (acknowledged / 2) * framesASecond, `${packets} pictures of ${acknowledged} segments`);
      // It may end within a picture, and does in zeros, for what is allocated ahead. A player may say so; it comes to its end all the same.
      assert.match(await playThrough(open), /^(\[(h264|aac|mpegts) @ [^\n]*\n?| +Last message repeated[^\n]*\n?)*$/);
    } finally {
      await publisher.close();
    }
  });

  test('a volume that is open read-only is checked as well', async () => {
    for (const order of [
      ['volume', 'lock', 'main', '--drain'],
      ['volume', 'open', 'main', '--read-only'],
    ]) {
      const { exitCode, error } = await service.cli(order);
      assert.equal(exitCode, 0, JSON.stringify(error));
    }
    assert.deepEqual(await check('bytes'), whole);
  });
});
