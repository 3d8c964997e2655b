package dev.multivisor.engine.device.pci;

/** Takes message-signalled interrupts: the local APICs. */
@FunctionalInterface
public interface MessageSink {
    /** A write of a device to 0xfeeXXXXX. */
    void message(long address, int data);
}
