/** What reached the stand-ins behind the routes. */
export interface Call {
  readonly call: string;
  readonly name: string;
  readonly options?: unknown;
  readonly secret?: string;
}

export type Note = (call: string, name: string, options?: unknown, secret?: Buffer) => void;

export class Seen {
  readonly calls: Call[] = [];
  /** The very buffers that reached the volume manager. */
  readonly secrets: Buffer[] = [];

  readonly note: Note = (call, name, options, secret) => {
    if (secret !== undefined) this.secrets.push(secret);
    this.calls.push({
      call,
      name,
      ...(options === undefined ? {} : { options }),
      ...(secret === undefined ? {} : { secret: secret.toString('latin1') }),
    });
  };
}
