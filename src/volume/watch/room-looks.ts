/**
 * What mounted filesystems can hold, and what is free in them. Unlike everything else of the watch this touches what is mounted. Filesystems
 * answer it from memory, but one whose device hangs may not: so only one look is under way at a time, and costs at most one thread.
 */
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Room {
  /** Bytes for files, without what the filesystem takes for itself. */
  readonly capacity: number;
  /** Bytes free, without those that only root may use. */
  readonly available: number;
  /** Files that it can hold, and of those how many more. Both 0 for a filesystem that has no such number (btrfs). */
  readonly files: number;
  readonly filesFree: number;
}

const limitMs = 500;

export const roomOf = async (point: string): Promise<Room> => {
  const { blocks, bavail, bsize, files, ffree } = await statfs(point);
  return { capacity: blocks * bsize, available: bavail * bsize, files, filesFree: ffree };
};

export class RoomLooks {
  readonly #look: (point: string) => Promise<Room>;
  #turns: Promise<unknown> = Promise.resolve();
  /** Of a look that was given up and is still under way. */
  #looking: Promise<Room | undefined> | undefined;

  constructor({ look = roomOf }: { readonly look?: (point: string) => Promise<Room> } = {}) {
    this.#look = look;
  }

  /** Undefined where there is no answer in time, and while another look has been waiting for longer than that. */
  at(point: string): Promise<Room | undefined> {
    const turn = this.#turns.then(() => this.#take(point));
    this.#turns = turn;
    return turn;
  }

  async #take(point: string): Promise<Room | undefined> {
    if (this.#looking !== undefined) return undefined;
    this.#looking = this.#look(point)
      .catch(() => undefined) // unmounted meanwhile
      .finally(() => {
        this.#looking = undefined;
      });
    return Promise.race([this.#looking, sleep(limitMs, undefined, { ref: false })]);
  }
}
