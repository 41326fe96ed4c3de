/** What differs by processor: the AUDIT_ARCH of seccomp(2), and system calls by number. */
interface Machine {
  readonly arch: number;
  readonly clone: number;
  readonly unshare: number;
  readonly socket: number;
  /** bpf, perf_event_open, userfaultfd, add_key, request_key, keyctl, shmget, msgget, semget. */
  readonly refused: readonly number[];
}

const machines: Readonly<Record<string, Machine>> = {
  x64: { arch: 0xc000_003e, clone: 56, unshare: 272, socket: 41, refused: [321, 298, 323, 248, 249, 250, 29, 68, 64] },
  arm64: {
    arch: 0xc000_00b7,
    clone: 220,
    unshare: 97,
    socket: 198,
    refused: [280, 241, 282, 217, 218, 219, 194, 186, 190],
  },
};

/** io_uring_setup, io_uring_enter, io_uring_register; these have one number everywhere. */
const refusedEverywhere = [425, 426, 427];
const clone3 = 435;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const newNamespaces = 0x7e02_0000;
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: those that a network namespace keeps in, which it does not do for AF_VSOCK. */
const socketFamilies = [1, 2, 10, 16];
/** System calls of the x32 ABI begin here. */
const x32 = 0x4000_0000;

const errno = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;
const allow = 0x7fff_0000;

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, operand: number];

const load = (offset: number): Instruction => [0x20, 0, 0, offset];
const give = (value: number): Instruction => [0x06, 0, 0, value];
const refuse = (error: keyof typeof errno) => give(0x0005_0000 | errno[error]);
/** Goes on with the next instruction when it holds, else past `skip` instructions. */
const ifEqual = (operand: number, skip: number): Instruction => [0x15, 0, skip, operand];
const unlessEqual = (operand: number, skip: number): Instruction => [0x15, skip, 0, operand];
const ifAtLeast = (operand: number, skip: number): Instruction => [0x35, 0, skip, operand];
const ifAny = (bits: number, skip: number): Instruction => [0x45, 0, skip, bits];

const numberOffset = 0;
const archOffset = 4;
const firstArgumentOffset = 16;

/**
 * A seccomp filter as bubblewrap takes it: classic BPF over seccomp_data (seccomp(2)). It takes away what training code never needs and what namespaces and
 * limits do not cover: namespaces of one's own (with their mounts in memory), sockets past the network namespace, memory that belongs to no
 * process, and the parts of the kernel that most often had holes. Undefined on a processor it does not know.
 */
export function systemCallFilter(processor: string = process.arch): Uint8Array | undefined {
  const machine = machines[processor];
  if (machine === undefined) return undefined;
  const { arch, clone, unshare, socket } = machine;
  const refused = [...machine.refused, ...refusedEverywhere];
  const families = socketFamilies.flatMap((family) => [ifEqual(family, 1), give(allow)]);
  return assemble([
    load(archOffset),
    unlessEqual(arch, 1),
    refuse("ENOSYS"),
    load(numberOffset),
    ifAtLeast(x32, 1),
    refuse("ENOSYS"),
    ...refused.flatMap((number) => [ifEqual(number, 1), refuse("EPERM")]),
    // Its flags are behind a pointer, out of sight; the C library falls back to clone.
    ifEqual(clone3, 1),
    refuse("ENOSYS"),
    ...[clone, unshare].flatMap((number) => [
      ifEqual(number, 4),
      load(firstArgumentOffset),
      ifAny(newNamespaces, 1),
      refuse("EPERM"),
      give(allow),
    ]),
    ifEqual(socket, families.length + 2),
    load(firstArgumentOffset),
    ...families,
    refuse("EAFNOSUPPORT"),
    give(allow),
  ]);
}

function assemble(program: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [i, [code, jumpTrue, jumpFalse, operand]] of program.entries()) {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(jumpTrue, i * 8 + 2);
    bytes.writeUInt8(jumpFalse, i * 8 + 3);
    bytes.writeUInt32LE(operand >>> 0, i * 8 + 4);
  }
  return bytes;
}
