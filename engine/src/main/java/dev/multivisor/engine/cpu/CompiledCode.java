package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;

/**
 * What a compiler made of a region of guest code: independent of the machine, the vCPU and the address that it runs at,
 * so that it serves every region with the same bytes. Without state.
 */
public abstract class CompiledCode {
    /**
     * What {@link #run} returns when the budget is used up, the vCPU's attention is wanted, code was changed, or the
     * interpreter is to execute the next instruction.
     */
    public static final int LEFT = -1;

    /** Instructions that are executed by their handlers. */
    protected final Instruction[] instructions;

    /** How many exits it has: {@link #run} returns a number below. */
    public final int exits;

    /** The most instructions that it executes between two looks at its budget. */
    public final int longest;

    /** For subclasses, which a compiler makes. */
    protected CompiledCode(Instruction[] instructions, int exits, int longest) {
        this.instructions = instructions;
        this.exits = exits;
        this.longest = longest;
    }

    /**
     * Executes guest code from its entry on. All of the state is in the {@link Cpu} before and after, also when an
     * exception leaves it: then RIP is at the instruction that raised it, which has changed nothing.
     *
     * @param start the linear address of the entry
     * @param budget how many instructions may be executed; it takes up to {@link #longest} more. Without a budget
     *     nothing is done, nor is the vCPU looked at
     * @return the number of the exit, or {@link #LEFT}; RIP is where to go on
     * @throws CpuFault as the interpreter's handlers do
     */
    public abstract int run(Cpu cpu, long start, int budget);
}
