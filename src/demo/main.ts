/** `npm run demo`: the whole service on its own directories, with a publisher. Options after `--`. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { onStopSignals } from '../cli/stop-signals.ts';
import { ReelError, toReelError } from '../errors.ts';
import { Demo, type DemoResult } from './demo.ts';

const usage = `npm run demo -- [--once] [--json] [--keep DIR] [--seconds N]
  --once       record, stop, and end; without it the demo runs until Ctrl-C
  --seconds N  how much to record with --once (default 20)
  --keep DIR   leave container, key file and state in DIR
  --json       the last line of stdout is one JSON object (with --once); everything else goes to stderr`;

interface Options {
  readonly once: boolean;
  readonly json: boolean;
  readonly help: boolean;
  readonly keep?: string;
  readonly seconds: number;
}

const readOptions = (): Options => {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        keep: { type: 'string' },
        seconds: { type: 'string' },
      },
    });
    const seconds = Number(values.seconds ?? 20);
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > 3600) throw new Error('--seconds takes 1 to 3600');
    if (values.seconds !== undefined && !values.once) throw new Error('--seconds goes with --once');
    const { once, json, help, keep } = values;
    return { once, json, help, seconds, ...(keep === undefined ? {} : { keep }) };
  } catch (cause) {
    throw new ReelError('invalid-argument', {
      expected: 'the options below',
      got: (cause as Error).message,
      hint: `\n${usage}`,
      cause,
    });
  }
};

const stopOnSignals = (demo: Demo, say: (text: string) => void, stop: () => void): void =>
  onStopSignals({
    first: () => {
      say('stopping: the stream ends, then the volume is locked');
      stop();
    },
    second: () => say(`waiting for ${demo.waitingFor}; once more ends this at once and leaves the volume open`),
    third: () => {
      say(`ended; the volume may still be open beneath ${demo.base}`);
      void demo.kill().finally(() => process.exit(130));
    },
  });

const tellLog = async (base: string, say: (text: string) => void): Promise<void> => {
  const file = path.join(base, 'service.log');
  if (!existsSync(file)) return;
  say(`the end of ${file}:\n${(await readFile(file, 'utf8')).trimEnd().split('\n').slice(-15).join('\n')}`);
};

const runDemo = async (options: Options, say: (text: string) => void): Promise<DemoResult | undefined> => {
  const demo = await Demo.create({ say, ...(options.keep === undefined ? {} : { keep: options.keep }) });
  const stop = Promise.withResolvers<undefined>();
  stopOnSignals(demo, say, () => stop.resolve(undefined));
  const work = async (): Promise<DemoResult | undefined> => {
    await demo.start();
    if (options.once) return demo.recordOnce(options.seconds);
    await demo.recordOn();
    return undefined;
  };
  const working = work();
  let result: DemoResult | undefined;
  try {
    result = await Promise.race([working, stop.promise]);
  } catch (error) {
    await tellLog(demo.base, say);
    throw error;
  } finally {
    await demo.stop();
    // Interrupted by the stop: its failure then is a consequence and no news.
    await working.catch(() => undefined);
  }
  if (options.once && result === undefined) {
    throw new ReelError('recording-stopped', { expected: `${options.seconds} s of stream`, got: 'a signal to stop' });
  }
  return result;
};

let json = process.argv.includes('--json');
try {
  const options = readOptions();
  ({ json } = options);
  const say = (text: string): void => {
    (json ? process.stderr : process.stdout).write(`${text}\n`);
  };
  if (options.help) say(usage);
  else {
    const result = await runDemo(options, say);
    if (result !== undefined) process.stdout.write(`${JSON.stringify(result, null, json ? undefined : 2)}\n`);
  }
  // The signal handlers would keep the process.
  process.exit(0);
} catch (thrown) {
  const error = toReelError(thrown);
  process.stderr.write(
    json
      ? `${JSON.stringify({ error: error.toJSON() })}\n`
      : `demo: ${error.row.text} (${error.code})\n${error.message}\n`,
  );
  process.exit(error.row.exit);
}
