package dev.multivisor.engine.device.vmgenid;

import dev.multivisor.engine.mmu.PhysicalMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;

/**
 * The VM generation ID (Microsoft, "Virtual Machine Generation ID", 2012; Linux, drivers/virt/vmgenid.c): 16 bytes in
 * the guest's memory, whose place the DSDT tells, and an event when they change. A guest that finds them changed is a
 * copy, or back in its own past, and takes new random numbers.
 *
 * <p>Who restores a machine names the identifier that it is to have. A restore leaves the guest's memory as it is, so that
 * it can still be given up; the guest is told before its next instruction.
 */
public final class VmGeneration {
    /** The general-purpose event that says that it has changed. */
    public static final int EVENT = 1;

    /** Where the identifier is, a multiple of 8: in the area for firmware tables, behind them. */
    public static final long ADDRESS = 0xff000;

    private final PhysicalMemory memory;
    private final Runnable changed;
    private final UUID wanted;
    private UUID told;

    /**
     * A new machine's, which is put into its memory.
     *
     * @param changed raises the event
     */
    public VmGeneration(PhysicalMemory memory, Runnable changed, UUID id) {
        this.memory = memory;
        this.changed = changed;
        wanted = id;
        told = id;
        store();
    }

    /**
     * Restores what the guest was told.
     *
     * @param wanted what it is to be told
     */
    public VmGeneration(PhysicalMemory memory, Runnable changed, UUID wanted, VmGenerationState state) {
        this.memory = memory;
        this.changed = changed;
        this.wanted = wanted;
        told = id(state);
    }

    /** The identifier that a machine was told. */
    public static UUID id(VmGenerationState state) {
        return new UUID(state.high(), state.low());
    }

    /** What the guest was told. */
    public synchronized VmGenerationState save() {
        return new VmGenerationState(told.getMostSignificantBits(), told.getLeastSignificantBits());
    }

    /** Before the first instruction: tells the guest what has changed. */
    public synchronized void connect() {
        if (!told.equals(wanted)) {
            told = wanted;
            store();
            changed.run();
        }
    }

    /** As a GUID is stored: its first three fields are little-endian. */
    private void store() {
        long high = told.getMostSignificantBits();
        byte[] bytes = ByteBuffer.allocate(16)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt((int) (high >>> 32))
                .putShort((short) (high >>> 16))
                .putShort((short) high)
                .order(ByteOrder.BIG_ENDIAN)
                .putLong(told.getLeastSignificantBits())
                .array();
        memory.write(ADDRESS, bytes, 0, bytes.length);
    }
}
