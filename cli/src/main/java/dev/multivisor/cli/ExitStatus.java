package dev.multivisor.cli;

import java.util.Map;
import java.util.TreeMap;

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

    /** For the end of help texts. */
    static Map<String, String> descriptions() {
        Map<String, String> lines = new TreeMap<>((a, b) -> Integer.compare(Integer.parseInt(a), Integer.parseInt(b)));
        lines.put("" + OK, "The guest switched itself off (or reset itself, with --no-reboot).");
        lines.put("" + PROBLEM, "doctor found a problem. From run, an odd status is the guest's own, by debug-exit.");
        lines.put("" + BAD_INPUT, "Bad input: an option, a file, an image or an engine.");
        lines.put("" + PANIC, "The guest's kernel panicked.");
        lines.put("" + TRIPLE_FAULT, "Triple fault: the guest could not handle a fault.");
        lines.put("" + HALTED, "The guest halted for good, with interrupts off.");
        lines.put("" + FAILED, "The engine, or this program, failed.");
        lines.put("" + TIMEOUT, "--timeout was reached.");
        lines.put("" + QUIT, "You quit with Ctrl-] q.");
        return lines;
    }
}
