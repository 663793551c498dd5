/** Playlists of the archive, short and longer than what is held in memory. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { VolumeArchive } from '../../src/archive/archive.ts';
import { hourUs } from '../../src/archive/reel.ts';
import { SegmentLines } from '../../src/native.ts';
import { ArchivePlaylist } from '../../src/playback/archive-playlist.ts';
import { addPart, endList, header } from '../../src/playback/m3u8.ts';
import { run, segmentsOf, someHour, TemporaryVolume } from '../archive/fixtures.ts';

const volume = new TemporaryVolume();
const archive = new VolumeArchive({ files: volume.files });
const hours = 30;
const secondsAnHour = 3600;
before(() => {
  for (let hour = 0; hour < hours; hour += 1)
    volume.reel(
      'cam',
      segmentsOf(
        someHour + hour,
        // The longest one is the last but one: what is not held counts, too.
        Array.from({ length: secondsAnHour }, (_, at) => ({
          at,
          seconds: hour === hours - 1 && at === secondsAnHour - 2 ? 7 : 1,
        })),
      ),
    );
  volume.reel('short', run(someHour, 5));
});
after(() => volume.remove());

const spanOf = (stream: string) => ({ stream, fromUs: (someHour - 1) * hourUs, toUs: (someHour + hours) * hourUs });
const textOf = async (stream: string, over = true): Promise<Buffer[]> => {
  const playlist = (await ArchivePlaylist.read(archive, spanOf(stream))) as ArchivePlaylist;
  const text = playlist.text({ type: 'VOD', over, targetDuration: playlist.longest });
  return Buffer.isBuffer(text) ? [text] : await Array.fromAsync(text);
};
/** All of it at once. */
const plain = async (stream: string, targetDuration: number): Promise<string> => {
  const lines = new SegmentLines();
  let startsPlaylist = true;
  const { fromUs, toUs } = spanOf(stream);
  for await (const part of archive.parts(stream, fromUs, toUs)) {
    addPart(lines, part, [], startsPlaylist);
    startsPlaylist = false;
  }
  const head = header({ targetDuration, mediaSequence: 0, discontinuitySequence: 0, type: 'VOD' });
  return String(lines.take(head, endList));
};

test('a playlist longer than what is held has the text of the whole, and its longest segment', async () => {
  const pieces = await textOf('cam');
  assert.ok(pieces.length > 1, `${pieces.length} pieces`);
  const text = String(Buffer.concat(pieces));
  assert.equal(text.match(/#EXTINF/g)?.length, hours * secondsAnHour);
  assert.ok(text === (await plain('cam', 7)), 'the same text');
});

test('one that is shorter comes whole', async () => {
  const pieces = await textOf('short');
  assert.equal(pieces.length, 1);
  assert.equal(String(pieces[0]), await plain('short', 2));
  assert.ok(!String((await textOf('short', false))[0]).includes('ENDLIST'));
});

test('where nothing is recorded there is none', async () => {
  assert.equal(await ArchivePlaylist.read(archive, spanOf('other')), undefined);
});
