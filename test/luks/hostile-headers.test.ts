/** Headers that are wrong in one way each, before everything of ours that reads one: a clear refusal in time, and nothing written. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fixtures, generate, key, uuid } from '../../fixtures/containers/generate.ts';
import { toReelError } from '../../src/errors.ts';
import { findingsOf } from '../../src/luks/header/findings.ts';
import { readHeader } from '../../src/luks/header/read-header.ts';
import { Luks } from '../../src/luks/luks.ts';
import { luksblock, run } from '../luksblock/support.ts';

const timeout = 60_000;
let directory = '';
before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'reelvault-hostile-'));
  // Where the quiet copies are made: nobody else's files are there.
  process.env.TMPDIR = path.join(directory, 'tmp');
  await mkdir(process.env.TMPDIR);
  await mkdir(path.join(directory, 'mount'));
  await writeFile(path.join(directory, 'key'), key);
});
after(() => rm(directory, { recursive: true, force: true }));

const digest = async (file: string): Promise<string> => {
  const hash = createHash('sha256');
  const stream = createReadStream(file).on('data', (bytes) => hash.update(bytes));
  await once(stream, 'end');
  return hash.digest('hex');
};

const copiesLeft = (): Promise<string[]> => readdir(tmpdir());

for (const fixture of fixtures)
  test(`${fixture.name}: ${fixture.dump}, ${fixture.plane}`, { timeout }, async () => {
    const file = path.join(directory, fixture.name);
    await generate(file, fixture);
    const before = await digest(file);
    const luks = new Luks();
    const dumped = await luks.dump(file).then(
      (header) => header,
      (error: unknown) => toReelError(error).code,
    );
    assert.equal(typeof dumped === 'string' ? dumped : 'reads', fixture.dump);
    if (typeof dumped !== 'string') assert.equal(dumped.uuid, uuid);
    assert.equal((await luks.isLuks(file)) !== null, fixture.dump === 'reads');

    const mount = path.join(directory, 'mount');
    const outcome = await luksblock(['--container', file, '--mount', mount], path.join(directory, 'key'));
    if (outcome.code === 0) await run('umount', [mount]);
    assert.equal(outcome.code, fixture.plane, outcome.stderr);
    if (outcome.code !== 0) assert.ok(JSON.parse(outcome.stderr));
    assert.equal((await run('mountpoint', ['-q', mount])).code, 32);

    // cryptsetup would have put a damaged copy right by now.
    assert.equal(await digest(file), before, 'nothing was written');
    assert.deepEqual(await copiesLeft(), []);
    await rm(file);
  });

test('what is found in each agrees with what an open says', async () => {
  for (const fixture of fixtures) {
    const file = path.join(directory, `found-${fixture.name}`);
    await generate(file, fixture);
    const findings = findingsOf(await readHeader(file));
    await rm(file);
    const refusal = findings.find((finding) => finding.refusal !== null)?.refusal;
    if (refusal !== undefined) assert.equal(refusal, fixture.open, fixture.name);
    if (fixture.name.endsWith('sound')) assert.deepEqual(findings, []);
    if (fixture.name === 'integrity') assert.deepEqual([findings.length, findings[0]?.kind], [1, 'integrity']);
    if (/^(primary|secondary)-/.test(fixture.name)) {
      assert.deepEqual([findings.length, findings[0]?.refusal], [1, null], fixture.name);
    }
  }
});
