package dev.multivisor.host;

import dev.multivisor.api.GuestMemory;
import dev.multivisor.api.PageObserver;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Watches a machine's memory for writes, for whoever is interested: listeners that hear of each write to certain pages
 * ({@link #register}), logs of which pages were written ({@link #logWrites}), and keepers of what pages held before
 * ({@link #keep}). All of this stays through handovers: nothing is missed or reported twice. Safe for use by several
 * threads.
 *
 * <p>The shape is that of KVM's external page tracking ({@code kvm_page_track_register_notifier},
 * {@code kvm_write_track_add_gfn}), for any number of independent users; the differences are told where they are.
 */
public final class PageTracker {
    private final String machine;
    private final GuestMemory memory;
    private final EngineTracking engines;

    /** Who hears of each tracked frame. Changed under the lock of {@link #engines}, arrays replaced whole. */
    private final Map<Long, PageRegistration[]> watchers = new ConcurrentHashMap<>();

    // Guarded by the lock of engines:
    private final List<PageRegistration> registrations = new ArrayList<>();

    private final PageBits bits;
    private final ThreadLocal<Boolean> inside = ThreadLocal.withInitial(() -> false);

    PageTracker(String machine, GuestMemory memory, Execution execution) {
        this.machine = machine;
        this.memory = memory;
        bits = new PageBits(memory.bytes());
        engines = new EngineTracking(machine, execution, new Observer(), bits, watchers.keySet());
        bits.attach(engines, execution);
    }

    /**
     * Registers a listener, which hears nothing until it adds pages. The registration ends with the machine and does not
     * keep it. (KVM's, {@code kvm_page_track_register_notifier}, holds a reference to the VM until it is unregistered,
     * and is refused with -ESRCH where {@code current->mm} is not the VM's.)
     *
     * @throws HostException if the machine is closed, or on an engine that cannot track pages
     */
    public PageRegistration register(PageListener listener) {
        PageRegistration registration = new PageRegistration(this, listener);
        engines.lock();
        try {
            engines.use();
            registrations.add(registration);
        } finally {
            engines.unlock();
        }
        return registration;
    }

    /**
     * Starts a log of pages that are written. Several may be open.
     *
     * @throws HostException if the machine is closed, or on an engine that cannot track pages
     */
    public DirtyLog logWrites() {
        return bits.log();
    }

    /**
     * Keeps what guest memory holds now: each page is given to the sink before it is first written, and by
     * {@link KeptPages#keepRest}, once in all.
     *
     * @throws HostException if vCPUs run, if pages are being kept already, if the machine is closed, or on an engine that
     *     cannot track pages
     */
    public KeptPages keep(KeptPages.Sink sink) {
        return bits.keep(sink);
    }

    /** Where guest memory is, by ascending guest address. */
    public List<GuestMemory.Region> regions() {
        return memory.regions();
    }

    /**
     * Copies guest memory.
     *
     * @param address guest-physical
     * @throws HostException if not all of it is memory, or if the machine is closed
     */
    public void read(long address, byte[] target) {
        MemorySegment source = memory(address, target.length);
        try {
            MemorySegment.copy(source, 0, MemorySegment.ofArray(target), 0, target.length);
        } catch (IllegalStateException e) {
            throw engines.isClosed(e);
        }
    }

    /**
     * Writes guest memory. Listeners, logs and keepers see it, as does the guest's CPU if it is code, like a device's
     * write. (KVM's {@code kvm_write_guest} marks pages dirty, but calls no {@code track_write}.)
     *
     * @param address guest-physical
     * @throws HostException if not all of it is memory, if the machine is closed, or on an engine that cannot track pages
     */
    public void write(long address, byte[] bytes) {
        memory(address, bytes.length);
        engines.write(address, bytes);
    }

    private MemorySegment memory(long address, int size) {
        for (GuestMemory.Region region : memory.regions()) {
            long from = address - region.guestAddress();
            if (from >= 0 && from <= region.size() - size) {
                return memory.bytes().asSlice(region.offset() + from, size);
            }
        }
        throw new HostException("machine " + machine + ": no memory at 0x" + Long.toHexString(address)
                + (size == 1 ? "" : ", or less than " + size + " bytes"));
    }

    // ---- Registrations ----

    void add(PageRegistration registration, long first, long count) {
        engines.lock();
        try {
            requireOpen(registration);
            List<Long> fresh = new ArrayList<>();
            for (long frame = first; frame < first + count; frame++) {
                requireMemory(frame);
            }
            for (long frame = first; frame < first + count; frame++) {
                if (registration.count(frame) && watchers.put(frame, with(watchers.get(frame), registration)) == null) {
                    fresh.add(frame);
                }
            }
            engines.track(fresh);
        } finally {
            engines.unlock();
        }
    }

    void remove(PageRegistration registration, long first, long count) {
        engines.lock();
        try {
            requireOpen(registration);
            for (long frame = first; frame < first + count; frame++) {
                if (!registration.frames().contains(frame)) {
                    throw new HostException("machine " + machine + ": frame 0x" + Long.toHexString(frame)
                            + ": is not watched by this listener");
                }
            }
            List<Long> last = new ArrayList<>();
            for (long frame = first; frame < first + count; frame++) {
                if (registration.uncount(frame)) {
                    forget(registration, frame, last);
                }
            }
            engines.untrack(last);
        } finally {
            engines.unlock();
        }
    }

    void close(PageRegistration registration) {
        requireOutside("a page registration cannot be closed");
        if (!registration.end()) {
            return;
        }
        engines.lock();
        try {
            List<Long> last = new ArrayList<>();
            registration.frames().forEach(frame -> forget(registration, frame, last));
            registration.uncountAll();
            if (registrations.remove(registration)) {
                engines.untrack(last);
                engines.endUse();
            }
        } finally {
            engines.unlock();
        }
    }

    private void forget(PageRegistration registration, long frame, List<Long> last) {
        PageRegistration[] left = without(watchers.get(frame), registration);
        if (left.length == 0) {
            watchers.remove(frame);
            last.add(frame);
        } else {
            watchers.put(frame, left);
        }
    }

    private static PageRegistration[] with(PageRegistration[] some, PageRegistration one) {
        PageRegistration[] more = some == null ? new PageRegistration[1] : Arrays.copyOf(some, some.length + 1);
        more[more.length - 1] = one;
        return more;
    }

    private static PageRegistration[] without(PageRegistration[] some, PageRegistration one) {
        return Arrays.stream(some).filter(other -> other != one).toArray(PageRegistration[]::new);
    }

    private void requireOpen(PageRegistration registration) {
        engines.requireOpen();
        if (registration.closed()) {
            throw new HostException("machine " + machine + ": the page registration is closed");
        }
    }

    private void requireMemory(long frame) {
        boolean there = memory.regions().stream()
                .anyMatch(r -> frame >= r.guestAddress() >>> 12 && frame < r.guestAddress() + r.size() >>> 12);
        if (!there) {
            throw new HostException("machine " + machine + ": frame 0x" + Long.toHexString(frame) + ": has no memory");
        }
    }

    // ---- Callbacks ----

    private final class Observer implements PageObserver {
        @Override
        public void written(int cpu, long instruction, long address, byte[] bytes) {
            PageRegistration[] listeners = watchers.get(address >>> 12);
            if (listeners != null) {
                report(listeners, cpu, instruction, address, bytes);
            }
        }

        @Override
        public void beforeWrite(long page) {
            bits.beforeWrite(page);
        }
    }

    private static void report(PageRegistration[] listeners, int cpu, long instruction, long address, byte[] bytes) {
        PageListener.Writer writer =
                cpu < 0 ? PageListener.Writer.Outside.OUTSIDE : new PageListener.Writer.Cpu(cpu, instruction);
        if (isUrgent(listeners)) {
            PromptThread.perhaps(() -> report(listeners, address, bytes, writer));
        } else {
            report(listeners, address, bytes, writer);
        }
    }

    private static boolean isUrgent(PageRegistration[] listeners) {
        for (PageRegistration listener : listeners) {
            if (listener.mayBeUrgent()) {
                return true;
            }
        }
        return false;
    }

    private static void report(PageRegistration[] listeners, long address, byte[] bytes, PageListener.Writer writer) {
        for (int n = 0; n < listeners.length; n++) {
            listeners[n].report(address, n == listeners.length - 1 ? bytes : bytes.clone(), writer);
        }
    }

    void practise(PageRegistration registration, long frame) {
        report(new PageRegistration[] {registration}, 0, 0, frame << 12, new byte[0]);
    }

    /** Calls a listener's method. */
    void inside(Runnable method) {
        boolean before = inside.get();
        inside.set(true);
        try {
            method.run();
        } catch (Throwable e) {
            System.getLogger(PageTracker.class.getName())
                    .log(System.Logger.Level.WARNING, "machine " + machine + ": a page listener failed", e);
        } finally {
            inside.set(before);
        }
    }

    /** @throws HostException inside a listener's method, which what is to be done would wait for */
    void requireOutside(String what) {
        if (inside.get()) {
            throw new HostException("machine " + machine + ": " + what + " from inside a page listener");
        }
    }

    // ---- The machine's life ----

    EngineTracking engines() {
        return engines;
    }

    /** The machine is gone, its memory is not yet: tells listeners. */
    void close() {
        List<PageRegistration> all;
        Map<PageRegistration, List<GuestMemory.Region>> gone = new HashMap<>();
        engines.lock();
        try {
            engines.close();
            all = List.copyOf(registrations);
            registrations.clear();
            for (PageRegistration registration : all) {
                gone.put(registration, regions(registration));
                registration.uncountAll();
            }
            watchers.clear();
        } finally {
            engines.unlock();
        }
        for (PageRegistration registration : all) {
            for (GuestMemory.Region region : gone.get(registration)) {
                registration.reportRemoved(region.guestAddress() >>> 12, region.size() >>> 12);
            }
            registration.end();
        }
        bits.close();
    }

    private List<GuestMemory.Region> regions(PageRegistration registration) {
        return memory.regions().stream()
                .filter(r -> registration.frames().stream()
                        .anyMatch(f -> f >= r.guestAddress() >>> 12 && f < r.guestAddress() + r.size() >>> 12))
                .toList();
    }
}
