/** Rules out of YAML, and requests to ask them with. */

import { parse } from 'yaml';
import { HashQueue } from '../../../src/auth/backends/hash-queue.ts';
import { hashPassword } from '../../../src/auth/password.ts';
import { type CompileParams, compileRules } from '../../../src/auth/rules/compile.ts';
import { type Assumption, type Decision, decide, type RuleLists } from '../../../src/auth/rules/engine.ts';
import type { RuleRequest } from '../../../src/auth/rules/request.ts';
import { ReelError } from '../../../src/errors.ts';

const account = { version: 1 as const, user: 'owner', password: await hashPassword('owned') };

export interface Warned {
  readonly facts: Record<string, unknown>;
  readonly message: string;
}

export const params = (changes: Partial<CompileParams> = {}): CompileParams & { readonly warned: Warned[] } => {
  const warned: Warned[] = [];
  return {
    files: '/nonexistent',
    account,
    tickets: {
      redeem: (ticket, stream) => {
        if (ticket !== `ticket-of-${stream}`)
          throw new ReelError('unauthorized', { expected: 'a ticket', got: 'another' });
      },
    },
    queue: new HashQueue({ now: Date.now }),
    now: Date.now,
    log: { warn: (facts, message) => void warned.push({ facts: facts as Record<string, unknown>, message }) },
    warned,
    ...changes,
  };
};

export const rulesOf = (yaml: string, changes: Partial<CompileParams> = {}): RuleLists =>
  compileRules(parse(yaml), params(changes));

export const webRequest = (changes: Partial<RuleRequest> & { as?: readonly [string, string] } = {}): RuleRequest => {
  const { as, ...more } = changes;
  const headers: Record<string, string> = { 'user-agent': 'test' };
  return {
    method: 'GET',
    command: undefined,
    stream: undefined,
    listener: undefined,
    url: '/',
    address: '192.0.2.1',
    header: (name) => headers[name],
    credentials: as === undefined ? undefined : { user: as[0], password: Buffer.from(as[1]) },
    bearer: undefined,
    ticket: undefined,
    server: { name: 'vault.example', port: 8443 },
    ...more,
  };
};

export const apiRequest = (command: string, changes: Parameters<typeof webRequest>[0] = {}): RuleRequest =>
  webRequest({ command, url: `/api/v1/${command}`, ...changes });

export const ask = (
  lists: RuleLists,
  changes: Parameters<typeof webRequest>[0] = {},
  assumption?: Assumption,
): Promise<Decision> => decide(lists, webRequest(changes), assumption);
