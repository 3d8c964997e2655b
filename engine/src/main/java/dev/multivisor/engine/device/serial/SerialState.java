package dev.multivisor.engine.device.serial;

/**
 * State of {@link Serial}. Registers are named as in the data sheet of the 16550A.
 *
 * @param divisor DLL and DLM
 * @param ier interrupt enable
 * @param fcr FIFO control
 * @param lcr line control
 * @param mcr modem control
 * @param msrDelta bits 0 to 3 of the modem status
 * @param overrun bit 1 of the line status
 * @param scr scratch
 * @param transmitterEmpty whether the interrupt of an empty transmitter holding register is due
 * @param received bytes in the receiver's FIFO, oldest first
 */
public record SerialState(
        int divisor,
        int ier,
        int fcr,
        int lcr,
        int mcr,
        int msrDelta,
        boolean overrun,
        int scr,
        boolean transmitterEmpty,
        byte[] received) {}
