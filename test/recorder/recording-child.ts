/** A daemon's media part in a process of its own, to be killed: tells its port, then every segment it reports durable, as JSON lines. */
import { Host } from '../ingest/host.ts';

const host = await Host.start({ directory: process.argv[2] as string });
host.recorder.on('durable', (stream, segments) => {
  process.stdout.write(`${JSON.stringify({ stream, segments })}\n`);
});
process.stdout.write(`${JSON.stringify({ port: host.port })}\n`);
