package dev.multivisor.it;

import java.util.List;

/** Lines of a kernel's log that only look like trouble: what others mean by such words. */
final class Harmless {
    private static final List<String> LINES = List.of(
            // A host that is busy with something else.
            "hrtimer: interrupt took",
            // What a small machine has not got.
            "Performance Events: unsupported",
            "RAS: Correctable Errors collector initialized.",
            "PCI: Using host bridge windows from ACPI; if necessary, use \"pci=nocrs\" and report a bug");

    private Harmless() {}

    static boolean says(String line) {
        return LINES.stream().anyMatch(line::contains);
    }
}
