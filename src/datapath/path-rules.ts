/** What a path must look like before the kernel is asked: clear messages. The kernel's own checks do not rely on these. */
import { ReelError } from '../errors.ts';

/** Bytes, as in linux/limits.h; PATH_MAX counts the final NUL. */
const nameMax = 255;
const pathMax = 4096 - 1;

const refuse = (code: 'path-invalid' | 'path-outside', expected: string, path: string): never => {
  const shown = JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
  throw new ReelError(code, { expected, got: shown });
};

const checkParts = (parts: readonly string[], path: string): void => {
  for (const part of parts) {
    if (part === '..') refuse('path-outside', 'a path without ".."', path);
    if (part === '' || part === '.') refuse('path-invalid', 'a path without empty parts and "."', path);
    if (Buffer.byteLength(part) > nameMax) refuse('path-invalid', `names of at most ${nameMax} bytes`, path);
  }
};

const checkText = (path: string): void => {
  if (path === '') refuse('path-invalid', 'a path', path);
  if (path.includes('\0')) refuse('path-invalid', 'a path without NUL', path);
  // Such a string becomes other bytes than it shows.
  if (!path.isWellFormed()) refuse('path-invalid', 'a path of whole Unicode characters', path);
  if (Buffer.byteLength(path) > pathMax) refuse('path-invalid', `a path of at most ${pathMax} bytes`, path);
};

/** A path inside a jail: relative; `.` alone is the jail's own directory. Returns it. */
export const checkRelative = (path: string): string => {
  checkText(path);
  if (path.startsWith('/')) refuse('path-outside', 'a relative path', path);
  if (path !== '.') checkParts(path.split('/'), path);
  return path;
};

/** A path from outside: absolute. Returns its parts. */
export const checkAbsolute = (path: string): string[] => {
  checkText(path);
  if (!path.startsWith('/')) refuse('path-invalid', 'an absolute path', path);
  if (path === '/') return [];
  const parts = path.slice(1).split('/');
  checkParts(parts, path);
  return parts;
};
