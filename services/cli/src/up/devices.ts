/**
 * Splits a machine's CPUs into sets, one for each replica, in the notation of AIMASS_DEVICES. With more replicas than CPUs, sets share CPUs: fine for
 * trying things, which is what the embedded default is for.
 */
export function cpuDevices(replicas: number, cpus: number): string {
  const sets: string[] = [];
  for (let i = 0; i < replicas; i += 1) {
    const first = Math.floor((i * cpus) / replicas);
    const last = Math.max(first, Math.floor(((i + 1) * cpus) / replicas) - 1);
    sets.push(`cpu:${first === last ? first : `${first}-${last}`},name=cpu-${i}`);
  }
  return sets.join(";");
}
