/** What the supervisor reads as root and gives the daemon, which may not: one frame on standard input, at the start. */
import type { Readable } from 'node:stream';
import { ReelError } from '../errors.ts';
import type { WebhookFiles } from '../events/webhook/files.ts';
import { encodeRequest, RequestDecoder } from '../helper/framing.ts';

/** The bytes for the pipe. The caller zeroes them, and the files'. */
export const handOver = ({ secrets, ca }: WebhookFiles): Buffer => encodeRequest({ ca }, [secrets]);

/**
 * Reads that frame and no byte more. The caller zeroes `secrets`. Throws `config-invalid` where the input ends before it: a daemon that
 * something else than `reelvault serve` started.
 */
export const takeOver = async (input: Readable): Promise<WebhookFiles> => {
  const decoder = new RequestDecoder();
  try {
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        const got = 'the end of standard input';
        reject(new ReelError('config-invalid', { expected: 'the webhook’s secret from the supervisor', got }));
      };
      const take = (piece: Buffer): void => {
        try {
          if (!decoder.push(piece)) return;
          input.pause().off('data', take).off('end', end).off('error', reject);
          resolve();
        } catch (error) {
          reject(error);
        }
      };
      input.on('data', take).once('end', end).once('error', reject);
    });
    const { json, secrets } = decoder.take();
    return { ca: (json as Pick<WebhookFiles, 'ca'>).ca, secrets: Buffer.from(secrets[0] ?? '') };
  } finally {
    decoder.zero();
  }
};
