/** Options that every verb takes. */
import { loadSettings } from '../config/load.ts';
import { AdminClient } from './client.ts';

export interface GlobalOptions {
  readonly json?: boolean;
  readonly runtime?: string;
}

/** The client of the service whose runtime directory the options or the environment name. */
export const clientOf = (options: GlobalOptions): AdminClient => {
  const { runtime } = loadSettings(process.env, options.runtime === undefined ? {} : { runtime: options.runtime });
  return new AdminClient({ runtime });
};
