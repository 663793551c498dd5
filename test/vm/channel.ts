/**
 * Commands and answers over the virtio port: one line each, so a frame cannot be torn, and a port that the kernel never
 * prints to, so a frame cannot be confused with its messages. The guest's side is `guest-agent.sh`.
 */
import type { ChildProcess } from 'node:child_process';
import { connect, type Socket } from 'node:net';

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

interface Params {
  readonly file: string;
  readonly machine: ChildProcess;
  readonly consoleTail: () => string;
}

/** How long the guest may be late with an answer after its own time limit has run out. */
const graceMs = 60_000;

export class GuestChannel {
  readonly #params: Params;
  readonly #waiting = new Map<string, { resolve: (result: CommandResult) => void; reject: (error: Error) => void }>();
  #socket: Socket | undefined;
  #rest = '';
  #last = 0;
  #dead: Error | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(params: Params) {
    this.#params = params;
    params.machine.once('exit', (code, signal) => this.#fail(`the virtual machine ended (${signal ?? code})`));
  }

  /** Resolves when the guest's agent has said that it listens. */
  async ready(timeoutMs: number): Promise<void> {
    const answer = this.#answer('ready', timeoutMs, 'the guest did not boot');
    void this.#connect(Date.now() + timeoutMs);
    await answer;
  }

  /** Commands run one after another, as the agent takes them. */
  run(command: string, timeoutMs: number): Promise<CommandResult> {
    const result = this.#queue.then(() => {
      this.#last += 1;
      const id = String(this.#last);
      const answer = this.#answer(id, timeoutMs + graceMs, `the guest gave no answer to \`${command}\``);
      const seconds = Math.max(1, Math.ceil(timeoutMs / 1000));
      this.#socket?.write(`${id} ${seconds} ${Buffer.from(command).toString('base64')}\n`);
      return answer;
    });
    this.#queue = result.catch(() => undefined);
    return result;
  }

  close(): void {
    this.#fail('the virtual machine was closed');
    this.#socket?.destroy();
  }

  /** QEMU makes the socket a moment after it has started. */
  async #connect(deadline: number): Promise<void> {
    while (this.#dead === undefined && Date.now() < deadline) {
      const socket = connect(this.#params.file);
      const connected = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      });
      if (connected) {
        this.#socket = socket;
        socket.setEncoding('latin1').on('data', (text) => this.#receive(String(text)));
        socket.on('error', (error) => this.#fail(error.message));
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #answer(id: string, timeoutMs: number, complaint: string): Promise<CommandResult> {
    return new Promise((resolve, reject) => {
      if (this.#dead !== undefined) return reject(this.#dead);
      const timer = setTimeout(() => this.#fail(`${complaint} within ${Math.round(timeoutMs / 1000)} s`), timeoutMs);
      this.#waiting.set(id, {
        resolve: (result) => {
          clearTimeout(timer);
          resolve(result);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const frame = /^(\w+) (\d+) =(\S*) =(\S*)$/.exec(line);
      const [, id = '', code, stdout = '', stderr = ''] = frame ?? [];
      const waiting = this.#waiting.get(id);
      if (waiting === undefined) {
        this.#fail(`the guest's agent sent what is no frame: ${line.slice(0, 200)}`);
        return;
      }
      this.#waiting.delete(id);
      const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');
      waiting.resolve({ exitCode: Number(code), stdout: decode(stdout), stderr: decode(stderr) });
    }
  }

  /** The first failure is the cause of those after it. */
  #fail(what: string): void {
    this.#dead ??= new Error(`${what}\nEnd of the console:\n${this.#params.consoleTail()}`);
    for (const waiting of this.#waiting.values()) waiting.reject(this.#dead);
    this.#waiting.clear();
  }
}
