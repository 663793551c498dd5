/** Loads the addon: the one place that knows where it lies. Each area casts it to the functions it uses. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const name = '../../build/Release/reelvault.node';

export const addon: unknown = require(name);
export const addonFile: string = require.resolve(name);
