/** The volume that a verb means where it is not named. */
import { ReelError } from '../errors.ts';
import type { VolumeView } from '../http/volumes.ts';
import type { AdminClient } from './client.ts';

/** The one that is named, else the only one there is. `invalid-argument` where there are several. */
export const oneVolume = async (client: AdminClient, named: string | undefined): Promise<string> => {
  if (named !== undefined) return named;
  const { volumes } = await client.get<{ volumes: VolumeView[] }>('/volumes');
  const [only, ...others] = volumes.map(({ name }) => name);
  if (only !== undefined && others.length === 0) return only;
  throw new ReelError('invalid-argument', {
    expected: only === undefined ? 'a volume' : `--volume with one of ${[only, ...others].join(', ')}`,
    got: only === undefined ? 'none yet' : 'none named',
    hint: only === undefined ? 'make one with `reelvault volume create`' : 'name it',
  });
};
