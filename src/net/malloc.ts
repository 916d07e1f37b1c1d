/**
 * How the C library deals with memory that is given back. Left alone, glibc raises the size from
 * which a block is handed back to the system with each large block that it sees freed, up to 32 MiB;
 * the images of replaced zones then stay with the process.
 */
import { loadLibc } from './libc.ts';

/** Parameters of mallopt(3). */
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;

const LARGE_BYTES = 1024 * 1024;

/** From now on freed blocks of a megabyte and more go back to the system at once. */
export function returnFreedMemory(): void {
  const libc = loadLibc();
  libc?.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
  libc?.mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
}
