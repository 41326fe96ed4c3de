/** A thread beside a reading process: a file that makes its main thread loop would keep it from noticing that the registry is gone. */

const parent = process.ppid;
const checkMs = 500;

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
}, checkMs);
