package dev.multivisor.engine.device;

import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The 65,536 I/O ports. An access that is wider than the device takes, or reaches beyond its ports, is split; a port
 * that nobody claims reads as all ones and swallows what is written.
 */
public final class PortBus implements PortHandler {
    private static final int PORTS = 1 << 16;
    private static final int PAGE = 1 << 8;

    private record Claim(PortHandler handler, int first, int last, int width) {}

    /** Ports by their upper and then their lower byte; no page where nobody claims any. Building one takes time. */
    private final AtomicReferenceArray<AtomicReferenceArray<Claim>> pages = new AtomicReferenceArray<>(PAGE);

    /** Claims ports for a device whose registers are bytes. */
    public void map(int first, int count, PortHandler handler) {
        map(first, count, 1, handler);
    }

    /**
     * Claims ports for a device.
     *
     * @param width the widest access that the device takes whole: 1, 2 or 4 bytes
     * @throws IllegalArgumentException if a port is taken already
     */
    public synchronized void map(int first, int count, int width, PortHandler handler) {
        if (first < 0 || count < 1 || first + count > PORTS || width != 1 && width != 2 && width != 4) {
            throw new IllegalArgumentException(String.format("ports 0x%x + %d, width %d", first, count, width));
        }
        for (int port = first; port < first + count; port++) {
            if (claim(port) != null) {
                throw new IllegalArgumentException(String.format("port 0x%x is taken", port));
            }
        }
        Claim claim = new Claim(handler, first, first + count - 1, width);
        for (int port = first; port < first + count; port++) {
            set(port, claim);
        }
    }

    private Claim claim(int port) {
        AtomicReferenceArray<Claim> page = pages.getAcquire(port / PAGE);
        return page == null ? null : page.getAcquire(port % PAGE);
    }

    private void set(int port, Claim claim) {
        AtomicReferenceArray<Claim> page = pages.get(port / PAGE);
        if (page == null) {
            page = new AtomicReferenceArray<>(PAGE);
            pages.set(port / PAGE, page);
        }
        page.set(port % PAGE, claim);
    }

    /** Gives ports back. */
    public synchronized void unmap(int first, int count) {
        for (int port = first; port < first + count; port++) {
            set(port, null);
        }
    }

    /** Whether none of these ports is claimed. */
    public synchronized boolean free(int first, int count) {
        for (int port = first; port < first + count; port++) {
            if (port >= PORTS || claim(port) != null) {
                return false;
            }
        }
        return true;
    }

    @Override
    public int in(int port, int size) {
        Claim claim = claim(port & 0xffff);
        if (claim != null && size <= claim.width && (port & 0xffff) + size - 1 <= claim.last) {
            return claim.handler.in(port & 0xffff, size) & mask(size);
        }
        if (size == 1) {
            return 0xff;
        }
        int half = size / 2;
        int low = in(port, half);
        return low | in(port + half, half) << half * 8;
    }

    @Override
    public void out(int port, int size, int value) {
        Claim claim = claim(port & 0xffff);
        if (claim != null && size <= claim.width && (port & 0xffff) + size - 1 <= claim.last) {
            claim.handler.out(port & 0xffff, size, value & mask(size));
        } else if (size > 1) {
            int half = size / 2;
            out(port, half, value);
            out(port + half, half, value >>> half * 8);
        }
    }

    private static int mask(int size) {
        return size == 4 ? -1 : (1 << size * 8) - 1;
    }
}
