/** The bootstrap: quick and without effect when nothing is missing, one clear command when it may not install. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

const root = path.resolve(import.meta.dirname, '../..');
const fakes = path.join(root, 'fixtures/bootstrap');
const nobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', '--'];
let folder: string;

before(async () => {
  // The tree may lie where only root can look, as in /root.
  folder = await mkdtemp(path.join(os.tmpdir(), 'rv-bootstrap-'));
  await cp(path.join(root, 'src/bootstrap'), path.join(folder, 'src/bootstrap'), { recursive: true });
  await cp(fakes, path.join(folder, 'bin'), { recursive: true });
  spawnSync('chmod', ['-R', 'a+rX', folder]);
});
after(() => rm(folder, { recursive: true, force: true }));

const withFakes = (command: string, args: string[]) =>
  spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${folder}/bin:${process.env.PATH}`, APT_LOG: path.join(folder, 'apt.log') },
  });

test('with nothing missing it changes nothing and takes less than 2 s', async () => {
  const stamp = await readFile(path.join(root, 'node_modules/.bootstrap-stamp'), 'utf8');
  const sums = spawnSync('cksum', ['package-lock.json', 'package.json'], { cwd: root, encoding: 'utf8' }).stdout.trim();
  assert.equal(stamp, sums, 'npm packages are not those of package.json: run npm test, which installs first');
  const outputs = [
    'node_modules/.bootstrap-stamp',
    'build/Makefile',
    'build/Release/reelvault.node',
    'build/Release/luksblock',
  ];
  const times = (): Promise<number[]> =>
    Promise.all(outputs.map(async (file) => (await stat(path.join(root, file))).mtimeMs));
  const before = await times();
  const seconds: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const started = performance.now();
    const result = spawnSync('sh', ['src/bootstrap/bootstrap.sh', 'test'], { cwd: root, encoding: 'utf8' });
    seconds.push((performance.now() - started) / 1000);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(`${result.stdout}${result.stderr}`, '', 'it says nothing when it does nothing');
  }
  assert.deepEqual(await times(), before);
  const median = seconds.sort((a, b) => a - b)[2] ?? Number.NaN;
  assert.ok(median < 2, `expected a median below 2 s, got ${seconds.map((value) => value.toFixed(2)).join(' ')}`);
});

test('without root it prints the one command and exits with 1', () => {
  const script = path.join(folder, 'src/bootstrap/bootstrap.sh');
  const result = withFakes('setpriv', [...nobody, 'sh', script, 'test']);
  assert.equal(result.status, 1, result.stderr);
  const command = 'apt-get update && apt-get install -y --no-install-recommends cryptsetup-bin xz-utils';
  assert.deepEqual(result.stderr.trim().split('\n').slice(1), [`  ${command}`]);
});

test('packages of a later purpose are not asked for', () => {
  const script = path.join(folder, 'src/bootstrap/bootstrap.sh');
  const result = withFakes('setpriv', [...nobody, 'sh', script, 'run']);
  assert.match(result.stderr, /--no-install-recommends cryptsetup-bin\n$/);
});

test('as root it installs exactly what is missing, and fails when that fails', async () => {
  const result = withFakes('sh', [path.join(folder, 'src/bootstrap/bootstrap.sh'), 'test']);
  const calls = (await readFile(path.join(folder, 'apt.log'), 'utf8')).trim().split('\n');
  assert.match(calls[0] ?? '', / update$/);
  assert.match(calls[1] ?? '', / install -y --no-install-recommends cryptsetup-bin xz-utils$/);
  assert.equal(result.status, 100, result.stderr);
});

test('an unknown purpose is refused', () => {
  const result = spawnSync('sh', [path.join(root, 'src/bootstrap/bootstrap.sh'), 'demo'], { encoding: 'utf8' });
  assert.equal(result.status, 2);
  assert.equal(result.stderr, "bootstrap: expected run, test or bench, got 'demo'\n");
});
