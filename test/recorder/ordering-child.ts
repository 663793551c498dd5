/** A recorder in a process of its own, to be killed: records a second, orders that to end, and tells when that was answered. */
import { clip } from '../ingest/clip.ts';
import { Host } from '../ingest/host.ts';

const host = await Host.start({ directory: process.argv[2] as string });
const { bytes } = await clip(4);
const session = await host.recorder.openSession('cam', 'test');
session.append(bytes.subarray(0, Math.floor(bytes.length / 4)));
await host.recorder.order('cam', { mode: 'off', reason: 'killed' });
process.stdout.write('ordered\n');
