/** The main job from end to end: a real encoder in, an encrypted volume, real players out. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { host } from '../command.ts';
import { archiveTarget, recorded } from './archive.ts';
import { Browser, missingForBrowser } from './browser.ts';
import { makeClip, marker, Publisher } from './publisher.ts';
import { Service } from './service.ts';

const browserMissing = missingForBrowser();

/** A player's exit code and every word it had to say at level `error`. */
const play = (program: 'ffmpeg' | 'ffprobe', url: string): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const output =
      program === 'ffmpeg' ? ['-f', 'null', '-'] : ['-count_packets', '-show_entries', 'stream=nb_read_packets'];
    const standard = program === 'ffmpeg' ? ['-nostdin'] : ['-of', 'csv=p=0'];
    const args = [...standard, '-v', 'error', '-tls_verify', '0', '-i', url, ...output];
    execFile(program, args, { timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });

describe('a live stream into an encrypted volume and out again', { timeout: 300_000 }, () => {
  const resources = new AsyncDisposableStack();
  let service: Service;
  let publisher: Publisher;
  let browser: Browser | undefined;
  const liveUrl = (): string => `${service.url}/cam/index.m3u8`;
  const archiveUrl = (): string => service.url + archiveTarget('cam');

  before(async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'rv-playback-'));
    resources.defer(() => rm(folder, { recursive: true, force: true }));
    const clip = await makeClip(folder);
    service = await Service.make();
    resources.defer(() => service.close());
    const made = await service.cli(['volume', 'create', 'main', '--size', '128M']);
    assert.equal(made.exitCode, 0, JSON.stringify(made.error));
    publisher = await Publisher.start(service, 'cam', clip);
    resources.defer(() => publisher.close());
    await recorded(service, 'cam', 4);
    if (browserMissing !== undefined) return;
    browser = await Browser.start();
    resources.adopt(browser, (each) => each.close());
  });
  after(() => resources.disposeAsync());

  const inBrowser = { skip: browserMissing === undefined ? false : `needs ${browserMissing}` };

  test('hls.js in Chromium plays the live playlist', inBrowser, async () => {
    await browser?.expectPlayback(liveUrl());
  });

  test('hls.js in Chromium plays the archive while it grows', inBrowser, async () => {
    await browser?.expectPlayback(archiveUrl());
  });

  test('ffmpeg plays the live playlist to its end without an error', async () => {
    const played = play('ffmpeg', liveUrl());
    const probed = play('ffprobe', liveUrl());
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const { exitCode, stderr } = await publisher.stop();
    assert.equal(stderr, '', `the publisher ended with ${exitCode}`);
    for (const { code, stderr: errors } of [await played, await probed])
      assert.deepEqual({ code, errors }, { code: 0, errors: '' });
  });

  test('ffprobe and ffmpeg play the archive to its end without an error', async () => {
    const played = await play('ffmpeg', archiveUrl());
    assert.deepEqual({ code: played.code, errors: played.stderr }, { code: 0, errors: '' });
    const probed = await play('ffprobe', archiveUrl());
    assert.deepEqual({ code: probed.code, errors: probed.stderr }, { code: 0, errors: '' });
    const [video = 0] = probed.stdout.split('\n').map(Number);
    assert.ok(video >= 7 * 25, `expected the packets of at least 7 s of video, got ${video}`);
  });

  test('the stream’s plaintext is in the mounted reel and nowhere in the container', async () => {
    const { json } = await service.cli(['volume', 'list']);
    const [volume] = (json as { volumes: { container: string; mountPoint: string }[] }).volumes;
    assert.ok(volume !== undefined);
    const count = (file: string): Promise<number> =>
      new Promise((resolve) => {
        execFile('grep', ['-a', '-c', marker, file], (_error, stdout) => resolve(Number(stdout)));
      });
    await host('sync', ['-f', volume.mountPoint]);
    const files = await readdir(path.join(volume.mountPoint, 'dvr/cam'), { recursive: true });
    const reels = files.filter((file) => file.endsWith('.ts'));
    assert.ok(reels.length > 0);
    for (const reel of reels) assert.ok((await count(path.join(volume.mountPoint, 'dvr/cam', reel))) > 0, reel);
    assert.equal(await count(volume.container), 0);
  });
});
