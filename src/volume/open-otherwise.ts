import { ReelError } from '../errors.ts';

/** An open volume is never changed under those who use it: whoever wants it otherwise locks it first. */
export const openOtherwise = (name: string, readOnly: boolean): ReelError =>
  new ReelError('volume-state', {
    expected: `the volume ${name} locked, or open ${readOnly ? 'read-only' : 'for writing'}`,
    got: `open ${readOnly ? 'for writing' : 'read-only'}`,
    hint: 'lock it first',
  });
