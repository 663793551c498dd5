/** The catalog's database: how it is opened, and its tables. */
import { constants } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../../native/database.ts';
import { type VolumeFiles, whenMissing } from '../volume-files.ts';

export const catalogDirectory = '.reelvault';
export const catalogName = 'catalog.sqlite';

/** Raised with each change of the tables: another version's file is thrown away and made anew from the reels. */
const version = 1;

/**
 * `done` of `work`: 1 once the rows are complete. `dirty` of `streams`: a session has begun whose end is not in the catalog yet. `ranges`: pairs of
 * 64-bit µs, little endian, where the recorded time has gaps; else `first_us` to `last_us` is all recorded.
 */
const tables = `
  CREATE TABLE work (done INTEGER NOT NULL, reserve BLOB) STRICT;
  INSERT INTO work VALUES (0, NULL);
  CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, dirty INTEGER NOT NULL DEFAULT 0) STRICT;
  CREATE TABLE reels (
    stream INTEGER NOT NULL, hour INTEGER NOT NULL, bytes INTEGER NOT NULL, segments INTEGER NOT NULL,
    first_us INTEGER, last_us INTEGER, state INTEGER NOT NULL, flags INTEGER NOT NULL, ranges BLOB,
    PRIMARY KEY (stream, hour)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX reels_by_age ON reels (hour, stream);
  CREATE INDEX reels_unsettled ON reels (state, stream, hour) WHERE state <> 1;
  PRAGMA user_version = ${version};
`;

/**
 * One process, one connection: the exclusive lock keeps the write-ahead log's index in plain memory, where a mapped one would kill the process
 * when the disk below fails. A commit is on disk when it returns (FULL).
 */
const pragmas = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA cache_size = -8192;
  PRAGMA temp_store = MEMORY;
  PRAGMA trusted_schema = OFF;
  PRAGMA cell_size_check = ON;
`;

/** Lets the log and the file own blocks already, so that a full volume can still be told what to delete. */
const reserveSpace = `
  UPDATE work SET reserve = randomblob(262144);
  UPDATE work SET reserve = NULL;
  PRAGMA wal_checkpoint(RESTART);
`;

const versionOf = (db: DatabaseSync): unknown => db.prepare('PRAGMA user_version').get()?.user_version;

/** Removes the database. What it held can be had again from the reels. */
export const removeDatabase = (files: VolumeFiles): void => {
  for (const suffix of ['-wal', '-journal', '-shm', ''])
    whenMissing(() => files.unlink(`${catalogDirectory}/${catalogName}${suffix}`), undefined);
};

/** Opens the database in the directory open as `directoryFd`, with its tables. `undefined` for a file of another version. Throws SQLite's errors. */
export const openTables = (directoryFd: number): DatabaseSync | undefined => {
  const db = openDatabase(directoryFd, catalogName);
  try {
    db.exec(pragmas);
    const found = versionOf(db);
    if (found === 0) db.exec(`BEGIN IMMEDIATE; ${tables} COMMIT;`);
    else if (found !== version) {
      db.close();
      return undefined;
    }
    db.exec(reserveSpace);
    return db;
  } catch (error) {
    if (db.isOpen) db.close();
    throw error;
  }
};

/** The descriptor of the catalog's directory, made where it is missing. */
export const openCatalogDirectory = (files: VolumeFiles): number => {
  files.mkdirp(catalogDirectory);
  return files.open(catalogDirectory, constants.O_RDONLY | constants.O_DIRECTORY);
};
