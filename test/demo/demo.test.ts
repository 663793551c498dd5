/** The demo as its users run it, with a real ffmpeg. Runs as root. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { marker } from '../../src/demo/publisher.ts';

const script = path.resolve(import.meta.dirname, '../../src/demo/main.ts');
const work = await mkdtemp('/var/tmp/reelvault-demo-test-');
// A directory of a user's, as with sudo in somebody's home.
await chown(work, 64_123, 64_123);
const running = new Set<ChildProcess>();
after(async () => {
  for (const child of running) child.kill('SIGINT');
  await Promise.all([...running].map((child) => once(child, 'close')));
  execFileSync('sh', ['-c', 'chattr -R -i "$1" 2>/dev/null || true', 'sh', work]);
  await rm(work, { recursive: true, force: true });
});

interface Result {
  readonly volume: { container: string; uuid: string; type: string; cipher: string; engine: string; keyFile: string };
  readonly stream: string;
  readonly seconds: number;
  readonly segments: number;
  readonly bytes: number;
  readonly playlist: string;
  readonly reels: { path: string; bytes: number; sha256: string; segments: number }[];
}

/** Runs the demo with `work` as the directory the user stands in. */
const demo = (args: readonly string[]) => {
  const child = spawn(process.execPath, [script, ...args], {
    cwd: '/',
    env: { ...process.env, INIT_CWD: work },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let stdout = '';
  let text = '';
  const waiting: { pattern: RegExp; resolve: () => void }[] = [];
  const take = (piece: Buffer): void => {
    text += piece.toString();
    for (const one of waiting) if (one.pattern.test(text)) one.resolve();
  };
  child.stdout.on('data', (piece: Buffer) => {
    stdout += piece.toString();
    take(piece);
  });
  child.stderr.on('data', take);
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child);
    return { code: code as number | null, stdout, text };
  });
  const says = (pattern: RegExp): Promise<unknown> => {
    const said = new Promise<void>((resolve) => {
      waiting.push({ pattern, resolve });
      if (pattern.test(text)) resolve();
    });
    return Promise.race([said, ended.then((end) => assert.fail(`ended without ${pattern}: ${end.text}`))]);
  };
  return { child, ended, says };
};

const lastLine = (text: string): Result => JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as Result;

/** What the kernel still has of anything beneath `base`. */
const leftovers = (base: string): string[] => {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const loops = execFileSync('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE']).toString().split('\n');
  return [...mounts, ...loops].filter((line) => line.includes(base));
};

let first: Result | undefined;

test('--once --json --keep: records, leaves the directory, and the last line is the JSON', async () => {
  const { code, stdout, text } = await demo(['--once', '--json', '--keep', 'kept', '--seconds', '5']).ended;
  assert.equal(code, 0, text);
  const result = lastLine(stdout);
  first = result;
  const base = path.join(work, 'kept');
  assert.deepEqual(Object.keys(result), ['volume', 'stream', 'seconds', 'segments', 'bytes', 'playlist', 'reels']);
  assert.ok(result.volume.container.startsWith(`${base}/`) && result.volume.keyFile.startsWith(`${base}/`), stdout);
  assert.equal(result.volume.type, 'luks2');
  assert.equal(result.volume.cipher, 'aes-xts-plain64');
  assert.ok(result.seconds > 4 && result.seconds < 6, `${result.seconds} s`);
  assert.ok(result.segments >= 2 && result.bytes > 100_000, stdout);
  assert.equal(
    result.reels.reduce((sum, reel) => sum + reel.segments, 0),
    result.segments,
  );
  assert.equal(
    result.reels.reduce((sum, reel) => sum + reel.bytes, 0),
    result.bytes,
    'every byte of the reels is in a segment',
  );
  for (const reel of result.reels) assert.match(reel.sha256, /^[0-9a-f]{64}$/);
  const playlist = readFileSync(path.join(base, 'archive.m3u8'), 'utf8');
  assert.equal(playlist.match(/#EXTINF/g)?.length, result.segments);
  assert.match(playlist, /#EXT-X-ENDLIST/);
  assert.match(result.playlist, /^https:\/\/127\.0\.0\.1:\d+\/cam1\/archive-\d+-\d+\.m3u8$/);
  assert.deepEqual(leftovers(base), []);
  assert.match(text, /nothing is mounted/);
});

test('plain cryptsetup knows the container and its key file, and the plaintext is not in it', () => {
  const { container, keyFile, uuid } = (first as Result).volume;
  assert.equal(execFileSync('cryptsetup', ['luksUUID', container]).toString().trim(), uuid);
  execFileSync('cryptsetup', ['open', '--test-passphrase', '--key-file', keyFile, container]);
  const found = execFileSync('sh', ['-c', 'grep -c -a "$1" "$2" || true', 'sh', marker, container]).toString().trim();
  assert.equal(found, '0');
});

test('again with the same directory: the kept volume is opened, what was recorded is there byte for byte', async () => {
  const { code, stdout, text } = await demo(['--once', '--json', '--keep', 'kept', '--seconds', '3']).ended;
  assert.equal(code, 0, text);
  const result = lastLine(stdout);
  const former = first as Result;
  assert.equal(result.volume.uuid, former.volume.uuid);
  const segments = result.reels.reduce((sum, reel) => sum + reel.segments, 0);
  assert.equal(segments, former.segments + result.segments);
  assert.deepEqual(leftovers(path.join(work, 'kept')), []);
});

test('what a demo leaves goes with a plain rm', () => {
  execFileSync('rm', ['-r', path.join(work, 'kept')]);
});

test("somebody's own directory is refused and left alone", async () => {
  await writeFile(path.join(work, 'file'), '');
  const { code, text } = await demo(['--once', '--keep', '.']).ended;
  assert.equal(code, 2);
  assert.match(text, /invalid-argument/);
  assert.ok(!existsSync(path.join(work, 'state')));
});

test('a file instead of a directory is refused', async () => {
  await writeFile(path.join(work, 'file'), '');
  const { code, text } = await demo(['--once', '--keep', 'file']).ended;
  assert.equal(code, 2);
  assert.match(text, /a directory for --keep/);
});

for (const args of [['--seconds', '0', '--once'], ['--seconds', '5'], ['--what']]) {
  test(`refused: ${args.join(' ')}`, async () => {
    const { code, text } = await demo(args).ended;
    assert.equal(code, 2);
    assert.match(text, /npm run demo -- \[--once\]/);
  });
}

test('Ctrl-C twice while the live stream runs: it says what it waits for, and leaves nothing', async () => {
  const before = new Set(readdirSync('/var/tmp'));
  const { child, ended, says } = demo([]);
  await says(/Ctrl-C ends it/);
  const base = readdirSync('/var/tmp').find((name) => name.startsWith('reelvault-demo-') && !before.has(name));
  assert.ok(base !== undefined);
  // npm hands a Ctrl-C on that has come already: twice in a moment is once.
  child.kill('SIGINT');
  await says(/stopping/);
  child.kill('SIGINT');
  await new Promise((resolve) => setTimeout(resolve, 250));
  child.kill('SIGINT');
  const { code, text } = await ended;
  assert.equal(code, 0, text);
  assert.match(text, /waiting for .+; once more/);
  assert.match(text, /nothing is mounted/);
  assert.deepEqual(leftovers(base), []);
  assert.ok(!existsSync(path.join('/var/tmp', base)));
});

test('Ctrl-C while it starts leaves nothing', async () => {
  const { child, ended, says } = demo(['--keep', 'early']);
  await says(/login/);
  child.kill('SIGINT');
  const { code, text } = await ended;
  assert.equal(code, 0, text);
  assert.deepEqual(leftovers(path.join(work, 'early')), []);
});

/** The demo's own daemon: the child that runs `src/main.ts`. */
const daemonOf = (parent: number): number => {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.find((pid) => {
    try {
      const isChild = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === String(parent);
      return isChild && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/src/main.ts');
    } catch {
      return false;
    }
  });
  return Number(found);
};

test('a port that somebody has: another one is chosen, and said', async (t) => {
  const server = net.createServer().listen(8443, '127.0.0.1');
  // Whoever has the port, the demo finds it taken.
  await once(server, 'listening').catch(() => undefined);
  t.after(() => server.close());
  const { code, stdout, text } = await demo(['--once', '--json', '--seconds', '2']).ended;
  assert.equal(code, 0, text);
  assert.match(text, /port 8443 is taken; this demo listens on \d+/);
  assert.doesNotMatch(lastLine(stdout).playlist, /:8443\//);
});

test('kill -9 of the daemon while it records: it comes back, the publisher too, and no segment that was shown is lost', async () => {
  const { child, ended, says } = demo(['--keep', 'killed']);
  await says(/Ctrl-C ends it/);
  const base = path.join(work, 'killed');
  const dvr = path.join(base, 'storage/mount/demo/dvr/cam1');
  const index = (): Buffer => {
    const name = existsSync(dvr)
      ? readdirSync(dvr, { recursive: true, encoding: 'utf8' }).find((file) => file.endsWith('.idx'))
      : undefined;
    return name === undefined ? Buffer.alloc(0) : readFileSync(path.join(dvr, name));
  };
  const until = async (records: number): Promise<Buffer> => {
    for (;;) {
      const bytes = index();
      if (bytes.length >= 96 + records * 96) return bytes;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const before = await until(2);
  process.kill(daemonOf(child.pid ?? 0), 'SIGKILL');
  const count = Math.floor(before.length / 96) - 1;
  const after = await until(count + 2);
  // Records of the index are never rewritten: what was there is there.
  assert.ok(after.subarray(0, before.length).equals(before));
  child.kill('SIGINT');
  const { code, text } = await ended;
  assert.equal(code, 0, text);
  assert.match(text, /daemon: signal SIGKILL; again in/);
  assert.deepEqual(leftovers(base), []);
});
