/** Loads the addon: the one place that knows where it lies. Each area casts it to the functions it uses. */
import { createRequire } from 'node:module';

export const addon: unknown = createRequire(import.meta.url)('../../build/Release/reelvault.node');
