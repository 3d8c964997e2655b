package dev.multivisor.engine.device.lapic;

import dev.multivisor.engine.device.InvalidMsrException;

/**
 * The registers of a local APIC by number, which is the offset in memory divided by 16 and the x2APIC MSR's distance
 * from 0x800 (Intel SDM vol. 3, tables 11-1 and 11-6).
 */
final class ApicRegisters {
    private static final int ID = 0x02;
    private static final int VERSION = 0x03;
    private static final int TPR = 0x08;
    private static final int APR = 0x09;
    private static final int PPR = 0x0a;
    private static final int EOI = 0x0b;
    private static final int RRD = 0x0c;
    private static final int LDR = 0x0d;
    private static final int DFR = 0x0e;
    private static final int SVR = 0x0f;
    private static final int ISR = 0x10;
    private static final int TMR = 0x18;
    private static final int IRR = 0x20;
    private static final int ESR = 0x28;
    private static final int ICR_LOW = 0x30;
    private static final int ICR_HIGH = 0x31;
    private static final int LVT = 0x32;
    private static final int INITIAL_COUNT = 0x38;
    private static final int CURRENT_COUNT = 0x39;
    private static final int DIVIDE = 0x3e;
    private static final int SELF_IPI = 0x3f;

    /** Six LVT entries, of the integrated kind. */
    private static final int VERSION_VALUE = LocalApic.LVTS - 1 << 16 | 0x14;

    private ApicRegisters() {}

    private static boolean readable(int register) {
        return switch (register) {
            case ID, VERSION, TPR, APR, PPR, RRD, LDR, DFR, SVR, ESR, ICR_LOW, ICR_HIGH -> true;
            case INITIAL_COUNT, CURRENT_COUNT, DIVIDE -> true;
            default -> register >= ISR && register < ESR || register >= LVT && register < LVT + LocalApic.LVTS;
        };
    }

    private static int read(LocalApic apic, int register) {
        return switch (register) {
            case ID -> apic.x2apic() ? apic.id() : apic.id() << 24;
            case VERSION -> VERSION_VALUE;
            case TPR -> apic.taskPriorityRegister();
            case PPR -> apic.processorPriority();
            case LDR -> apic.logicalDestination();
            case DFR -> apic.destinationFormat();
            case SVR -> apic.spurious();
            case ESR -> apic.errorStatus();
            case ICR_LOW -> (int) apic.command();
            case ICR_HIGH -> (int) (apic.command() >>> 32);
            case INITIAL_COUNT -> apic.timer.initialCount();
            case CURRENT_COUNT -> apic.timer.currentCount();
            case DIVIDE -> apic.timer.divide();
            case APR, RRD -> 0;
            default -> {
                if (register >= LVT) {
                    yield apic.lvt(register - LVT);
                }
                int index = register & 7;
                yield register >= IRR
                        ? apic.requests().register(index)
                        : register >= TMR
                                ? apic.triggerMode().register(index)
                                : apic.inService().register(index);
            }
        };
    }

    /** Writes a register; false if it cannot be written. */
    private static boolean write(LocalApic apic, int register, int value) {
        switch (register) {
            case TPR -> apic.taskPriorityRegister(value);
            case EOI -> apic.endOfInterrupt();
            case SVR -> apic.spurious(value);
            case ESR -> apic.latchErrors();
            case INITIAL_COUNT -> apic.timer.initialCount(value);
            case DIVIDE -> apic.timer.divide(value);
            default -> {
                if (register < LVT || register >= LVT + LocalApic.LVTS) {
                    return false;
                }
                apic.lvt(register - LVT, value);
            }
        }
        return true;
    }

    static long readMsr(LocalApic apic, int register) {
        if (register == ICR_LOW) {
            return apic.command();
        }
        if (!readable(register) || register == APR || register == RRD || register == DFR || register == ICR_HIGH) {
            throw InvalidMsrException.INSTANCE;
        }
        return read(apic, register) & 0xffffffffL;
    }

    /** Bits that can be written in x2APIC mode; others raise #GP (11.12.1.3). */
    private static long writable(int register) {
        return switch (register) {
            case TPR, SELF_IPI -> 0xff;
            case EOI, ESR -> 0;
            case SVR -> 0x3ff;
            case DIVIDE -> 0xb;
            case ICR_LOW -> 0xffffffff_000cdfffL;
            case INITIAL_COUNT -> 0xffffffffL;
            default -> 0x7ffff;
        };
    }

    static void writeMsr(LocalApic apic, int register, long value) {
        if ((value & ~writable(register)) != 0) {
            throw InvalidMsrException.INSTANCE;
        }
        if (register == ICR_LOW) {
            apic.command(value);
            apic.send();
            return;
        }
        if (register == SELF_IPI) {
            apic.sendSelf((int) value & 0xff);
        } else if (!write(apic, register, (int) value)) {
            throw InvalidMsrException.INSTANCE;
        }
    }

    static int readMemory(LocalApic apic, int register) {
        if (!readable(register)) {
            apic.error(LocalApic.ERROR_ILLEGAL_REGISTER);
            return 0;
        }
        return read(apic, register);
    }

    static void writeMemory(LocalApic apic, int register, int value) {
        switch (register) {
            case ICR_LOW -> {
                apic.command(apic.command() & 0xffffffff_00000000L | value & 0xffffffffL);
                apic.send();
            }
            case ICR_HIGH -> apic.command(apic.command() & 0xffffffffL | (long) value << 32);
            case LDR -> apic.logicalDestination(value);
            case DFR -> apic.destinationFormat(value);
            case ID -> {
                // Given by the board here; as on a processor that does not let software change it.
            }
            default -> {
                if (!write(apic, register, value)) {
                    apic.error(LocalApic.ERROR_ILLEGAL_REGISTER);
                }
            }
        }
    }
}
