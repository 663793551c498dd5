/** A command at a real terminal: what it prints there, and somebody who types once it is asked for. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';

const ownNamespace = path.resolve(import.meta.dirname, '../../fixtures/launcher/own-namespace.sh');
/** A chroot often has /dev without the filesystem of terminals. */
const atTerminal = 'mount -t devpts -o ptmxmode=0666 devpts /dev/pts && exec script "$@"';

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

export class Terminal {
  /** Standard output and standard error, as a person sees them. */
  screen = '';
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown[]>;
  #changed: () => void = () => undefined;

  constructor(command: readonly string[], env: NodeJS.ProcessEnv) {
    const line = command.map(quoted).join(' ');
    // Nobody's echo: what is typed would be on the screen twice.
    const script = ['--quiet', '--return', '--echo', 'never', '--command', line, '/dev/null'];
    this.#child = spawn('sh', [ownNamespace, 'sh', '-c', atTerminal, 'sh', ...script], {
      env,
      cwd: '/',
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#closed = once(this.#child, 'close');
    this.#child.stdout?.on('data', (piece: Buffer) => {
      // Without what moves the cursor.
      this.screen += stripVTControlCharacters(piece.toString());
      this.#changed();
    });
    void this.#closed.then(() => this.#changed());
  }

  /** Types as soon as the screen shows what is waited for. Throws when the command ends before. */
  async answer(prompt: RegExp, keys: string): Promise<void> {
    while (!prompt.test(this.screen)) {
      if (this.#child.exitCode !== null) throw new Error(`it ended and never said ${prompt}: ${this.screen}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    this.#child.stdin?.write(keys);
  }

  /** Exit code of the command. */
  async ended(): Promise<number | null> {
    await this.#closed;
    return this.#child.exitCode;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
