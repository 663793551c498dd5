import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestService } from './service.ts';

/** What is typed, the exit code, and what standard error says. */
export type WrongUse = readonly [args: readonly string[], code: number, what: RegExp];

/** A test for each: it is refused with this code, says why, and prints no result. */
export const refusesWrongUses = (service: () => TestService, uses: readonly WrongUse[]): void => {
  for (const [args, code, what] of uses) {
    test(`reelvault ${args.join(' ')}: exit code ${code}`, async () => {
      const outcome = await service().run(args);
      assert.equal(outcome.code, code, outcome.stderr);
      assert.match(outcome.stderr, what);
      assert.equal(outcome.stdout, '');
    });
  }
};
