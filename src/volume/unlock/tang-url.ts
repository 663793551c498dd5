import { ReelError } from '../../errors.ts';

const longest = 2048;

/** The base URL of a Tang server without a slash at its end. Throws `invalid-argument`. */
export const tangUrl = (text: string): string => {
  const url = text.length <= longest && URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (plain && (url.protocol === 'http:' || url.protocol === 'https:')) return url.href.replace(/\/+$/, '');
  throw new ReelError('invalid-argument', {
    expected: 'the URL of a Tang server, such as http://tang.example:7500',
    got: text.slice(0, 200),
  });
};
