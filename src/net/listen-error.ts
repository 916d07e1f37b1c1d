/** Why an address could not be listened on, in the words of an operator instead of errno's. */
import { getSystemErrorName } from 'node:util';

export const MISSING_ADDRESS = 'this machine does not have the address';

export function listenErrorText(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return 'in use by another program';
  if (error.code === 'EACCES')
    return 'permission denied: ports below 1024 need CAP_NET_BIND_SERVICE';
  if (error.code === 'EADDRNOTAVAIL') return MISSING_ADDRESS;
  return error.message;
}

/** What a system call said by returning `-errno`, as the error that Node would have made of it. */
export function errnoError(errno: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`system error ${code}`), { code });
}
