package dev.multivisor.engine.device.acpi;

/**
 * State of {@link AcpiPm}.
 *
 * @param status PM1_STS
 * @param enable PM1_EN
 * @param control PM1_CNT
 * @param gpeStatus GPE0_STS
 * @param gpeEnable GPE0_EN
 * @param halfPeriods how often the top bit of the timer had changed when it was last looked at
 * @param deadline guest time of its next change that interrupts, or {@link Long#MAX_VALUE}
 */
public record AcpiPmState(
        int status, int enable, int control, int gpeStatus, int gpeEnable, long halfPeriods, long deadline) {}
