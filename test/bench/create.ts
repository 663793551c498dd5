/**
 * How long `create` takes for a preallocated volume of 10 GiB, step by step, with a random key file: through the helper's own procedure,
 * in this process, on the disk of the temporary directory. `besideKdf` leaves out the step in which the key is derived.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pino from 'pino';
import { run } from '../../src/exec/run.ts';
import { HelperClient } from '../../src/helper/client.ts';
import { helperSocket, startHelper } from '../../src/helper/start.ts';
import { median } from './bench-figures.ts';
import type { Bench } from './main.ts';

const rounds = 5;
const size = 10 * 2 ** 30 + 16 * 2 ** 20;
/** The keyslot is made in the first, and opened again in the second. */
const withKdf = ['formatted', 'attached'];

export const bench: Bench = async (say) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'reelvault-create-'));
  const runtime = path.join(directory, 'run');
  const datapath = ['storage', 'mount'].map((name) => path.join(directory, name));
  for (const root of datapath) await mkdir(root);
  const marks: { step: string; at: number }[] = [];
  const server = await startHelper({
    datapath,
    runtime,
    service: { uid: 0, gid: 0 },
    log: pino({ level: 'silent' }),
    seams: { afterStep: (step) => marks.push({ step, at: performance.now() }) },
  });
  const client = new HelperClient({ socketPath: helperSocket(runtime) });
  const engines = (await client.call({ verb: 'probe' })).result.engines;
  const engine = engines.kernel.usable ? 'kernel' : 'userspace';
  const raw: Record<string, number[]> = {};
  const note = (what: string, ms: number): void => {
    raw[what] = [...(raw[what] ?? []), Math.round(ms)];
  };
  try {
    for (let round = 0; round < rounds; round += 1) {
      marks.length = 0;
      const name = `v${round}`;
      const begin = performance.now();
      const request = { verb: 'create', name, size, engine, type: 'luks2', key: 'keyFile', open: false } as const;
      await client.call(request);
      const total = performance.now() - begin;
      let before = begin;
      let kdf = 0;
      for (const { step, at } of marks) {
        note(step, at - before);
        if (withKdf.includes(step)) kdf += at - before;
        before = at;
      }
      note('total', total);
      note('besideKdf', total - kdf);
      say(`round ${round + 1}: ${Math.round(total)} ms, ${Math.round(total - kdf)} ms beside formatting and opening`);
      await rm(path.join(directory, `storage/containers/${name}.luks`));
    }
  } finally {
    await server.close();
    await run('chattr', ['-R', '-i', directory], { timeoutMs: 30_000 });
    await rm(directory, { recursive: true });
  }
  const medians = Object.fromEntries(Object.entries(raw).map(([step, figures]) => [step, median(figures)]));
  return { medians, raw, settings: { rounds, size, engine }, machine: { kernel: os.release(), load: os.loadavg()[0] } };
};
