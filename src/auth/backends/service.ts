/** What the service itself gives out: its own admin account, and publish tickets. */
import { ReelError } from '../../errors.ts';
import type { AdminAccount } from '../admin-store.ts';
import { verifyPassword } from '../password.ts';
import type { TicketOffice } from '../tickets.ts';
import { type Backend, failure, match, noMatch } from './backend.ts';
import type { HashQueue } from './hash-queue.ts';

/** Another user is no match, as with `static`. */
export const makeAccount = ({ user: owner, password: stored }: AdminAccount, queue: HashQueue): Backend => ({
  asksCredentials: true,
  hashes: true,
  ask: async ({ credentials }) => {
    if (credentials === undefined) return noMatch('there are no credentials');
    const { user, password } = credentials;
    // Also for another user: the time must not tell which one exists.
    const holds = await queue.check(`account ${stored.hash}`, password, (bytes) => verifyPassword(bytes, stored));
    if (user !== owner) return noMatch('it is about another user');
    return holds ? match('user and password are right', { user }) : failure('the password is wrong');
  },
  assume: async (_request, user) => {
    if (user === undefined) return noMatch('there are no credentials');
    return user === owner ? match('user and password are right', { user }) : noMatch('it is about another user');
  },
});

export const makeTicket = (tickets: Pick<TicketOffice, 'redeem'>): Backend => ({
  asksCredentials: true,
  hashes: false,
  ask: async ({ ticket, stream }) => {
    if (ticket === undefined || stream === undefined) return noMatch('there is no publish ticket');
    try {
      tickets.redeem(ticket, stream);
      return match('the ticket is good');
    } catch (error) {
      if (error instanceof ReelError) return failure('the ticket is unknown, used or has run out');
      throw error;
    }
  },
  assume: async () => noMatch('it asks for a publish ticket'),
});
