package dev.multivisor.cli;

import picocli.CommandLine.Parameters;

/** The parameter that names a machine. */
final class VmOption {
    @Parameters(
            paramLabel = "VM",
            description = "A machine, as \"multivisor ps\" shows it; NAME@PID where a name is not enough.")
    private String name;

    String name() {
        return name;
    }
}
