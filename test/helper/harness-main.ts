/** A helper for the tests: a quick key derivation, and a crash (`kill -9` of itself, or what a plan says) right after a named step. */
import './time-limits.ts';
import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import pino from 'pino';
import { startHelper } from '../../src/helper/start.ts';
import type { HarnessParams } from './harness.ts';
import { followPlan } from './step-plan.ts';

const { crashAfter, commandAfter, plan, stepsTo, ...params } = JSON.parse(process.argv[2] ?? '') as HarnessParams;
const server = await startHelper({
  ...params,
  log: pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true })),
  seams: {
    pbkdf: { type: 'pbkdf2', iterations: 1000 },
    afterStep: (step) => {
      if (stepsTo !== undefined) appendFileSync(stepsTo, `step ${step}\n`);
      if (plan !== undefined) followPlan(plan.directory, plan.root, step);
      if (step === commandAfter?.step) execFileSync('sh', ['-c', commandAfter.command]);
      if (step === crashAfter) process.kill(process.pid, 'SIGKILL');
    },
  },
});
process.on('SIGTERM', () => void server.close().then(() => process.exit(0)));
process.stdout.write('ready\n');
