/** SQLite databases in a directory that is open, wherever it is mounted. Calls of a database wait for the disk: use it in a worker thread. */
import { DatabaseSync } from 'node:sqlite';
import { addonFile } from './addon.ts';

let loaded = false;

/** Makes SQLite know the file layer `reelvault`; it stays for the life of the process. */
const loadFileLayer = (): void => {
  if (loaded) return;
  const carrier = new DatabaseSync(':memory:', { allowExtension: true });
  try {
    carrier.loadExtension(addonFile);
  } finally {
    carrier.close();
  }
  loaded = true;
};

/**
 * Opens the database `name` (a file's name, not a path) in the directory open as `directoryFd`, which must stay open as long; makes it where
 * there is none. A link of that name is refused. It has the SQL function `recorded_time`. Throws SQLite's errors, with `errcode`.
 */
export const openDatabase = (directoryFd: number, name: string): DatabaseSync => {
  loadFileLayer();
  const db = new DatabaseSync(`file:/proc/self/fd/${directoryFd}/${name}?vfs=reelvault`, {
    enableForeignKeyConstraints: false,
    allowExtension: true,
  });
  db.loadExtension(addonFile);
  db.enableLoadExtension(false);
  return db;
};
