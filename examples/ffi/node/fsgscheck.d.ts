// SPDX-License-Identifier: MIT
/**
 * Can the FSGSBASE instructions really be used here? libfsgscheck by koffi.
 *
 * Results are the library's own words. A newer library may add words, so their type is string.
 *
 * @packageDocumentation
 */

/** The flags of a check. Combine them with `|`. */
export const Check: Readonly<{ NO_TRIAL: 1; CONTEXT: 2; ALL_CPUS: 4; SURVIVAL: 8 }>;

/** The two segments that have a base. FS is the C library's: leave it alone. */
export const Segment: Readonly<{ FS: 0; GS: 1 }>;

/** The lists of names, for {@link describe}. */
export const List: Readonly<{ VERDICT: 1; FINDING: 2; OUTCOME: 3; INSN: 4; ACCESS: 5; PROOF: 6 }>;

/** The words of one list, each by its name in capitals. */
export type Words<Name extends string> = Readonly<Record<Name, string>>;

/** What the evidence adds up to. */
export const Verdict: Words<
	'UNKNOWN' | 'USABLE' | 'UNSUPPORTED' | 'DISABLED' | 'UNADVERTISED' | 'BROKEN' | 'INCONSISTENT'>;

/** A detail of a verdict. */
export const Finding: Words<
	'KERNEL_TOO_OLD' | 'SWITCHED_OFF' | 'UNPROVEN' | 'UPGRADE_RISK' | 'WRONG_MODE' | 'CPUS_DIFFER' | 'CPUID_MASKED'
	| 'EMULATED' | 'NO_CANONICAL_CHECK' | 'VALUE_LOST' | 'SANDBOXED' | 'ARCH_PRCTL_DENIED' | 'ARCH_PRCTL_LIES'
	| 'INSTRUMENTED' | 'PRIVILEGE_RISK' | 'INSN_UD' | 'CR4_REFUSED' | 'CR4_DROPPED' | 'CR4_UNENFORCED' | 'PROVEN'
	| 'MISCONFIGURED'>;

/** The result of one instruction. */
export const Outcome: Words<'NOT_TRIED' | 'OK' | 'UNDEFINED' | 'FAULTED' | 'WRONG_VALUE' | 'VALUE_LOST'>;

/** The four instructions. */
export const Insn: Words<'RDFSBASE' | 'RDGSBASE' | 'WRFSBASE' | 'WRGSBASE'>;

/** How a base is read and written. */
export const Access: Words<'NONE' | 'INSTRUCTION' | 'ARCH_PRCTL'>;

/** What the verdict rests on. */
export const Proof: Words<'ADVERTISED' | 'TRIED'>;

/** The result of one check: the decision, and the evidence. */
export interface Report {
	/** A word of {@link Verdict}. */
	verdict: string;
	/** A word of {@link Proof}. */
	proof: string;
	/** Words of {@link Verdict}, one for each segment. */
	verdicts: { fs: string; gs: string };
	/** Words of {@link Access}, one for each segment. */
	access: { fs: string; gs: string };
	/** Words of {@link Finding}. Bits without a name are in `raw.findings`. */
	findings: string[];
	/** The word of {@link Outcome} for each word of {@link Insn}. */
	outcomes: Record<string, string>;
	/** Whether CPUID offers the instructions; null if unknown. */
	cpuid: boolean | null;
	/** Whether the kernel advertises the instructions; null if unknown. */
	hwcap2: boolean | null;
	/** The processor's vendor. */
	vendor: string;
	/** The kernel's release. */
	kernel: string;
	/** Why the verdict is what it is, in one or two sentences. */
	reason: string;
	/** What to do, cheapest first; empty on a healthy machine. */
	advice: string[];
	/** Every field of the report by its name: text, a number (a bigint if it has 64 bits), or an array of numbers. */
	raw: Record<string, string | number | bigint | number[] | bigint[]>;
}

/**
 * Collects evidence and decides. No verdict causes an exception, not even `broken`.
 *
 * @param flags - members of {@link Check}
 * @throws Error with `code` and `errno` for a flag that the library does not know
 */
export function check(flags?: number): Report;

/** Whether all four instructions may be used by this process; cached until {@link refresh}. */
export function usable(): boolean;

/** Checks again, after a resume, a migration or a restore. Returns whether anything changed. */
export function refresh(): boolean;

/** How a base is read and written here: a word of {@link Access}, `none` for an invalid segment. */
export function baseAccess(segment: number): string;

/** The base of a segment in the calling thread. */
export function getBase(segment: number): bigint;

/** Writes the base of a segment in the calling thread. FS is the C library's: leave it alone. */
export function setBase(segment: number, base: bigint | number): void;

/** Writes a base only if the segment has another base. Cheaper than setBase() if the two are often equal. */
export function ensureBase(segment: number, base: bigint | number): void;

/** The sentence that explains a number of a list; null for a number that the library does not know. */
export function describe(list: number, value: number): string | null;

/** The version of the library that is running. */
export function version(): string;
