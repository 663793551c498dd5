/** Tells that the configuration file, or its lock, may have changed, also where an editor puts another file in its place. */
import path from 'node:path';
import { watch } from 'chokidar';

export interface ConfigWatchParams {
  readonly file: string;
  /** Called some time after the last of several changes. */
  readonly onChange: () => void;
  /** The file is looked at no more. */
  readonly onError: (error: unknown) => void;
}

/** Editors write in several steps. */
const restMs = 100;

/** The answer ends it. */
export const watchConfig = ({ file, onChange, onError }: ConfigWatchParams): (() => Promise<void>) => {
  const directory = path.dirname(file);
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(directory, {
    depth: 0,
    ignoreInitial: true,
    followSymlinks: false,
    ignored: (name) => name !== directory && name !== file && name !== `${file}.locked`,
  });
  watcher.on('all', () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, restMs);
  });
  watcher.on('error', onError);
  return async () => {
    clearTimeout(timer);
    await watcher.close();
  };
};
