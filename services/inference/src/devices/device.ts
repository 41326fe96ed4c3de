/** A GPU or a CPU set, the unit that one replica process has to itself. */
export interface Device {
  /** Unique on its machine: "cpu-0", "gpu-1", or the name it was declared with. */
  readonly id: string;
  readonly kind: "cpu" | "gpu";
  /** Linux CPU list for a CPU set; index or UUID for a GPU. */
  readonly selector: string;
  /** 0 when unknown. */
  readonly memoryBytes: number;
  readonly description: string;
}
