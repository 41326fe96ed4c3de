/** Least bytes of a body in each ten seconds: nobody holds memory, a place or a connection by sending next to nothing. */
export const leastBodyBytes = 10 * 1024;
