package dev.multivisor.engine.device.lapic;

/**
 * State of {@link LocalApic}.
 *
 * @param base IA32_APIC_BASE
 * @param tpr task-priority register
 * @param ldr logical destination register, as read in xAPIC mode
 * @param dfr destination format register
 * @param svr spurious-interrupt vector register
 * @param lvt local vector table: timer, thermal, performance, LINT0, LINT1, error
 * @param irr interrupt request register
 * @param isr in-service register
 * @param tmr trigger mode register
 * @param esr error status register as last latched
 * @param errors errors since then
 * @param icr interrupt command register
 * @param divide divide configuration register
 * @param initialCount timer's initial count
 * @param timerStart guest time at which the count began, in nanoseconds
 * @param deadline guest time at which the timer fires, or {@link Long#MAX_VALUE}
 * @param tscDeadline IA32_TSC_DEADLINE
 * @param events INIT, SIPI and NMI not yet taken, as bits of {@link LocalApic}
 * @param startupVector vector of the last SIPI
 * @param externalInterrupt level of the 8259s' output
 */
public record LocalApicState(
        long base,
        int tpr,
        int ldr,
        int dfr,
        int svr,
        int[] lvt,
        long[] irr,
        long[] isr,
        long[] tmr,
        int esr,
        int errors,
        long icr,
        int divide,
        int initialCount,
        long timerStart,
        long deadline,
        long tscDeadline,
        int events,
        int startupVector,
        boolean externalInterrupt) {}
