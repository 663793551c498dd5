/** The service's playback over a directory as a volume: recorder, archive, catalog, routes. Arguments: the directory, a state directory. */
import fs from 'node:fs';
import path from 'node:path';
import fastify from 'fastify';
import pino from 'pino';
import { Jail } from '../../src/datapath/jail.ts';
import { playbackPlugin } from '../../src/playback/plugin.ts';
import { Recorder } from '../../src/recorder/recorder.ts';

const [root = '', state = ''] = process.argv.slice(2);
const fd = fs.openSync(root, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
const jail = new Jail({ fd, label: 'volume bench' });
const recorder = new Recorder({
  registry: path.join(state, 'streams.json'),
  defaults: { volume: 'bench', segmentMs: 4000, evidence: false },
  writer: { backend: 'auto', stagingBytes: 64 * 2 ** 20, commitIntervalMs: 1000 },
  log: pino({ level: 'silent' }),
  now: Date.now,
});
await recorder.start();
await recorder.attachVolume({ name: 'bench', uuid: '00000000-0000-4000-8000-000000000000', jail });
const app = fastify({ logger: false });
await app.register(playbackPlugin({ source: recorder.recorded, liveSegments: 6, liveLingerMs: 12_000, now: Date.now }));
/** Unused by the service itself: what the bench asks beside playback. */
app.get('/bench-state', () => ({
  catalog: recorder.archive('cam000').catalog?.state,
  cpuMs: (({ user, system }) => (user + system) / 1000)(process.cpuUsage()),
  rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
}));
process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}\n`);
process.stdin.resume();
process.stdin.once('end', async () => {
  await app.close();
  await recorder.close();
  await jail.close();
});
