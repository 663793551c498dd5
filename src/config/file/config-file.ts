/** The configuration file and its history on the disk: read, and replaced as a whole. */
import { ReelError, throwStorageFailure } from '../../errors.ts';
import { removeStaged, type StagedFile, stagePrivateFile } from '../private-file.ts';
import { ConfigHistory, type Version } from './history.ts';
import { type ReadText, readConfigFile } from './read.ts';

export interface ConfigFileParams {
  readonly file: string;
  /** Of the former texts. */
  readonly history: string;
  /** Unix milliseconds. */
  readonly now: () => number;
}

const unwritable = (file: string, cause: NodeJS.ErrnoException): ReelError =>
  new ReelError('config-unwritable', {
    expected: `to write a file beside ${file} and to put it in its place`,
    got: cause.code ?? cause.message,
    hint: 'give the directory to the account of the service and start the service again, or edit the file on the machine',
    cause,
    details: { file, errno: cause.code ?? null },
  });

export class ConfigFile {
  readonly #params: ConfigFileParams;
  readonly history: ConfigHistory;

  constructor(params: ConfigFileParams) {
    this.#params = params;
    this.history = new ConfigHistory({ directory: params.history });
  }

  get path(): string {
    return this.#params.file;
  }

  /** Takes away what a killed process left of a save. */
  async open(): Promise<void> {
    await this.history.load();
    // Where it cannot be written nothing was left.
    await removeStaged(this.path).catch(() => undefined);
  }

  read(): Promise<ReadText> {
    return readConfigFile(this.path);
  }

  /** What the file holds was not saved by this service: it is kept as a version, if it is another one. */
  async note(text: string): Promise<void> {
    const newest = await this.history.newest();
    if (newest === undefined ? text === '' : newest.text === text) return;
    await this.history.add({ time: this.#time(), by: 'the file', how: 'file', text });
  }

  /** Throws `config-unwritable`. The mode of the file stays. */
  async stage(text: string): Promise<StagedFile> {
    const { mode = 0o600 } = await this.read();
    try {
      return await stagePrivateFile(this.path, text, { mode });
    } catch (error) {
      throwStorageFailure(error);
      throw unwritable(this.path, error as NodeJS.ErrnoException);
    }
  }

  /** The version first: nothing is saved that cannot be taken back. */
  async commit(staged: StagedFile, { by, how, text }: Pick<Version, 'by' | 'how' | 'text'>): Promise<Version> {
    let version: Version | undefined;
    try {
      version = await this.history.add({ time: this.#time(), by, how, text });
      await staged.commit();
      return version;
    } catch (error) {
      await staged.abandon();
      if (version !== undefined) await this.history.forget(version.id);
      throw error;
    }
  }

  #time(): string {
    return new Date(this.#params.now()).toISOString();
  }
}
