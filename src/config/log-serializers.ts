import pino from 'pino';
import { causeInWords, ReelError } from '../errors.ts';

/**
 * How errors stand in the logs: one that was foreseen in words, with what led to it; a defect with its stack, because only that says where
 * to look.
 */
export const logSerializers = {
  err: (error: Error): object => {
    if (!(error instanceof ReelError) || error.code === 'internal') return pino.stdSerializers.err(error);
    const { code, message, details } = error;
    const cause = causeInWords(error);
    return {
      code,
      message,
      ...(cause === undefined ? {} : { cause }),
      ...(Object.keys(details).length > 0 ? { details } : {}),
    };
  },
};
