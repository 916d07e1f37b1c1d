/** Why an address could not be listened on, in the words of an operator instead of errno's. */

export function listenErrorText(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return 'in use by another program';
  if (error.code === 'EACCES') return 'permission denied (ports below 1024 need it)';
  if (error.code === 'EADDRNOTAVAIL') return 'this machine does not have the address';
  return error.message;
}
