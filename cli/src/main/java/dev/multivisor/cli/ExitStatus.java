package dev.multivisor.cli;

/**
 * What the program returns to its caller. The guest's own statuses by debug-exit are odd; those that this program
 * adds are even, except for the ones that a convention fixes.
 */
final class ExitStatus {
    static final int OK = 0;
    static final int PROBLEM = 1;
    static final int BAD_INPUT = 2;
    static final int PANIC = 64;
    static final int TRIPLE_FAULT = 66;
    static final int HALTED = 68;
    static final int FAILED = 70;
    static final int TIMEOUT = 124;
    static final int QUIT = 130;

    private ExitStatus() {}
}
