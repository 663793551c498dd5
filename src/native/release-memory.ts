/**
 * Gives memory outside the JavaScript heap back at once, of a buffer that nobody needs any more. Node's HTTP parser copies each piece of a body into one, and
 * playlists are large ones; V8 answers 64 MiB of them with a collection of the whole heap: under many streams one after the other, half of all
 * processor time. What shares its memory with others (chunks over TLS do) is left to the collector.
 */
export const releaseMemory = (bytes: Buffer): void => {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && bytes.byteLength === buffer.byteLength) buffer.transfer(0);
};
