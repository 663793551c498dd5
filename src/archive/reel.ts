/**
 * Where a reel lies. A reel is one UTC hour of one stream; the hour is counted from the Unix epoch, so that order, distance and the
 * next hour are plain arithmetic.
 */

export const hourUs = 3_600_000_000;

/** Four digits of a year bound what can be asked for: hours beyond it have no path. */
const lastHour = Math.floor(Date.UTC(10_000, 0, 1) / 3_600_000) - 1;

/** The hour (since the Unix epoch) that holds the instant, given in µs. */
export const hourOf = (us: number): number => Math.floor(us / hourUs);

/** The hour asked for last, and its path: a playlist asks for one hour hundreds of times. */
let lastAsked = 0;
let lastPath = '1970/01/01/00';

/** `2026/11/21/14`: the hour's place below its stream, without extension. */
export const hourPath = (hour: number): string => {
  if (hour !== lastAsked) {
    lastPath = new Date(hour * 3_600_000).toISOString().slice(0, 13).replace(/[-T]/g, '/');
    lastAsked = hour;
  }
  return lastPath;
};

/** The path of a reel, below the volume's root. */
export const reelPath = (stream: string, hour: number): string => `dvr/${stream}/${hourPath(hour)}.ts`;

export const indexPath = (stream: string, hour: number): string => `dvr/${stream}/${hourPath(hour)}.idx`;

/** Where the signature of a reel lies. */
export const signaturePath = (stream: string, hour: number): string => `dvr/${stream}/${hourPath(hour)}.sig`;

/** Where an index goes that cannot be read and has no reel to be rebuilt from. */
export const damagedIndexPath = (stream: string, hour: number): string => `${indexPath(stream, hour)}.damaged`;

/** Where the writer notes which reel of the stream it has open (text: the reel's path). */
export const markerDirectory = '.reelvault/open';
export const markerPath = (stream: string): string => `${markerDirectory}/${stream}`;

/** The hour that `2026`, `11`, `21`, `14` name, or `undefined` where they name none (month 13, 31 February, one digit). */
export const parseHour = (year: string, month: string, day: string, hour: string): number | undefined => {
  if (!/^\d{4}$/.test(year) || ![month, day, hour].every((part) => /^\d\d$/.test(part))) return undefined;
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour));
  const found = ms / 3_600_000;
  // Date.UTC carries an overflow (hour 24, day 31 of a short month) into the next unit and reads years below 100 as 19xx.
  return found >= 0 && found <= lastHour && hourPath(found) === `${year}/${month}/${day}/${hour}` ? found : undefined;
};

/** The inverse of `reelPath`, for the text of a marker. */
export const parseReelPath = (path: string): { stream: string; hour: number } | undefined => {
  const [top, stream, year, month, day, file, ...rest] = path.split('/');
  if (top !== 'dvr' || !stream || !year || !month || !day || !file?.endsWith('.ts') || rest.length > 0)
    return undefined;
  const hour = parseHour(year, month, day, file.slice(0, -3));
  return hour === undefined ? undefined : { stream, hour };
};
