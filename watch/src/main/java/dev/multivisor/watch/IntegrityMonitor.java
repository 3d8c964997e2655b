package dev.multivisor.watch;

import dev.multivisor.host.PageListener;
import dev.multivisor.host.PageRegistration;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.host.YoungSpace;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.DelayQueue;
import java.util.concurrent.Delayed;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * Watches the code, the interrupt table and the system calls' tables of a running guest's Linux kernel, and tells each
 * change of them with the instruction that made it. An example of a user of {@link dev.multivisor.host.PageTracker}: it
 * adds the pages, keeps a copy of them for what was there before, and does no more on the vCPU's thread than noting the
 * write, and waiting a moment for whoever tells it: so that one has a processor, the vCPU's. Everything goes on when the
 * machine moves to another engine.
 *
 * <p>A kernel changes its own code too, for static keys and calls, tracing and probes. It does this through a mapping
 * that nothing else uses, which the writing vCPU's CR3 tells. Such changes are told like others, as
 * {@link Alteration.Means#TEXT_POKE}.
 *
 * <p>Not seen are changes that need no write to these pages: another IDT (LIDT) or entry of system calls (LSTAR), other
 * page tables, pointers in the kernel's data, the code of modules.
 */
public final class IntegrityMonitor implements AutoCloseable {
    /** How many changes wait to be taken; of {@link Alteration#usual} ones half as many, so that they displace no other. */
    private static final int CAPACITY = 20_000;

    private static final int PAGE = 4096;

    /**
     * {@link Alteration#usual} changes are given out a bunch at a time, and no more of them than one in USUAL_NANOS. They come by
     * the hundred, and a change that is to be told at once cannot be read before what was told earlier: the way to a reader that
     * has stopped for a moment must not be full of them, nor whoever tells wake up, and take away a processor, for each.
     */
    private static final long USUAL_NANOS = 500_000, BUNCH_NANOS = 5_000_000;

    private static final int PRACTICE = 200;

    /** Bytes of the JVM's heap that changes take which come one after the other: some tens, of 0.1 MB each. */
    private static final long ROOM = 4 << 20;

    /** For how long a vCPU that has made a change which is not {@link Alteration#usual} waits until it is told. */
    private static final long WAIT_NANOS = 500_000;

    /**
     * For how long a kernel that is starting is taken to be where it was found: to find it is to read much of it, which takes
     * the processors that its start needs.
     */
    private static final long FOUND_NANOS = 5_000_000_000L;

    /** At the end of where modules are (MODULES_END), where none is. */
    private static final long NO_MODULE = 0xffff_ffff_fefe_f000L;

    /** How many watch in this process. */
    private static final AtomicInteger WATCHING = new AtomicInteger();

    private record Moment(Instant time, long nanos) {
        static Moment now() {
            return new Moment(Instant.now(), System.nanoTime());
        }
    }

    /** @param code what the instruction is in, where it was found out already because it may be gone later; else empty */
    private record Who(Alteration.Means means, int cpu, long instruction, AtomicReference<String> code) {
        Who(Alteration.Means means, int cpu, long instruction) {
            this(means, cpu, instruction, new AtomicReference<>(""));
        }
    }

    /**
     * A write as it is noted; the rest is found out by whoever takes it.
     *
     * @param due when it may be taken, by {@link System#nanoTime}
     */
    private record Note(
            long number,
            long due,
            Moment when,
            GuestKernel.Range range,
            long linear,
            byte[] before,
            byte[] after,
            Who who,
            Thread writer)
            implements Delayed {
        private static final Comparator<Note> ORDER =
                Comparator.comparing(Note::usual).thenComparing(Note::number);

        boolean usual() {
            return Alteration.usual(range.part(), who.means);
        }

        @Override
        public long getDelay(TimeUnit unit) {
            return unit.convert(due - System.nanoTime(), TimeUnit.NANOSECONDS);
        }

        /** What the kernel does not do to itself comes first: hundreds of changes that it makes at once hold up none of it. */
        @Override
        public int compareTo(Delayed other) {
            return ORDER.compare(this, (Note) other);
        }
    }

    private final VirtualMachine machine;
    private final GuestKernel kernel;
    private final PageRegistration registration;

    private final DelayQueue<Note> notes = new DelayQueue<>();

    private final AtomicLong numbers = new AtomicLong();

    /** When the last of the usual ones may be taken. */
    private final AtomicLong slot = new AtomicLong(System.nanoTime());

    /** The one that was taken last, for {@link #poll} only, and the number of the last one not usual that was told. */
    private Optional<Note> taken = Optional.empty();

    private volatile long told = -1;

    private final AtomicLong lost = new AtomicLong();

    /** What watched pages hold, by frame; outside of the heap, whose collections would move it. Guarded by itself. */
    private final Map<Long, ByteBuffer> copies = new HashMap<>();

    private IntegrityMonitor(VirtualMachine machine, GuestKernel kernel) {
        this.machine = machine;
        this.kernel = kernel;
        practise();
        registration = machine.pages().register(this::written);
        try {
            // A report waits until there is something to compare with; add does not wait for those who wait here.
            synchronized (copies) {
                for (GuestKernel.Range range : kernel.ranges()) {
                    long first = kernel.physical(range.start()) / PAGE;
                    long end = (kernel.physical(range.start() + range.size()) + PAGE - 1) / PAGE;
                    registration.add(first, end - first);
                    copy(first, end);
                }
            }
            // No change is to wait while what this, and the guest's boot, has left is collected, nor others' for this.
            if (WATCHING.getAndIncrement() == 0) {
                YoungSpace.clear();
            }
        } catch (Throwable e) {
            registration.close();
            throw e;
        }
    }

    /**
     * Begins to watch the kernel that runs in a machine.
     *
     * @param wait waits a moment for a kernel that has not started yet; false if nobody wants to wait any longer
     * @throws WatchException if there is none that is recognised, or if it has not started yet
     * @throws dev.multivisor.host.HostException if the machine is closed, or on an engine that cannot track pages
     */
    public static IntegrityMonitor attach(VirtualMachine machine, BooleanSupplier wait) {
        // An engine that tracks nothing is the first thing to say.
        machine.pages().register((address, bytes, writer) -> {}).close();
        GuestKernel kernel = null;
        long found = 0;
        while (true) {
            try {
                if (kernel == null || System.nanoTime() - found > FOUND_NANOS) {
                    kernel = GuestKernel.of(machine);
                    found = System.nanoTime();
                }
                if (kernel.started()) {
                    return new IntegrityMonitor(machine, kernel);
                }
                throw new WatchException("machine " + machine.name() + ": its kernel has not started yet", true);
            } catch (WatchException e) {
                if (!e.starting() || !wait.getAsBoolean()) {
                    throw e;
                }
            }
        }
    }

    /** What the kernel says it is, such as {@code Linux version 6.1.0-56-cloud-amd64 (...)}. */
    public String kernel() {
        return kernel.banner();
    }

    /** How many pages are watched. */
    public int pages() {
        synchronized (copies) {
            return copies.size();
        }
    }

    /** How many changes were forgotten because nobody had taken those before. */
    public long lost() {
        return lost.get();
    }

    private void copy(long first, long end) {
        ByteBuffer all = ByteBuffer.allocateDirect((int) (end - first) * PAGE);
        byte[] bytes = new byte[PAGE];
        for (long frame = first; frame < end; frame++) {
            machine.pages().read(frame * PAGE, bytes);
            copies.put(frame, all.slice((int) (frame - first) * PAGE, PAGE).put(0, bytes));
        }
    }

    /** Code that runs for the first time is slow, and the first change is to be told as soon as others. */
    private void practise() {
        BlockingQueue<Note> nowhere = new LinkedBlockingQueue<>();
        for (int n = 0; n < PRACTICE; n++) {
            GuestKernel.Range range = kernel.ranges().get(n % kernel.ranges().size());
            long instruction = n % 2 == 0 ? range.start() : NO_MODULE;
            note(
                    nowhere,
                    Moment.now(),
                    kernel.physical(range.start()),
                    new byte[8],
                    new byte[8],
                    who(new PageListener.Writer.Cpu(0, instruction)));
            nowhere.forEach(this::described);
            nowhere.clear();
        }
    }

    /** On the thread that wrote. */
    private void written(long address, byte[] bytes, PageListener.Writer writer) {
        Moment when = Moment.now();
        byte[] before = new byte[bytes.length];
        int from = (int) (address % PAGE);
        synchronized (copies) {
            copies.get(address / PAGE).get(from, before).put(from, bytes);
        }
        if (!Arrays.equals(before, bytes)) {
            note(notes, when, address, before, bytes, who(writer)).ifPresent(this::awaitTold);
        }
    }

    private void awaitTold(Note note) {
        long end = note.when.nanos + WAIT_NANOS;
        for (long left = WAIT_NANOS; told < note.number && left > 0; left = end - System.nanoTime()) {
            LockSupport.parkNanos(this, left);
        }
        if (told < note.number) {
            // A module may be gone when its change is told; now the vCPU is in it.
            note.who.code.set(code(note.who));
        }
    }

    private Who who(PageListener.Writer writer) {
        if (writer instanceof PageListener.Writer.Cpu(int number, long instruction)) {
            return new Who(means(machine.systemRegisters(number), instruction), number, instruction);
        }
        return new Who(Alteration.Means.OUTSIDE, -1, 0);
    }

    private Alteration.Means means(Map<String, Long> registers, long instruction) {
        if (registers.isEmpty()) {
            return kernel.own(instruction) ? Alteration.Means.KERNEL : Alteration.Means.CPU;
        }
        return kernel.pokes(registers.get("CR3")) ? Alteration.Means.TEXT_POKE : Alteration.Means.CPU;
    }

    /** Notes what of a write is in each of the ranges; the last one that is worth waiting for. */
    private Optional<Note> note(
            BlockingQueue<Note> to, Moment when, long address, byte[] before, byte[] after, Who who) {
        long start = kernel.linear(address);
        Optional<Note> last = Optional.empty();
        for (GuestKernel.Range range : kernel.ranges()) {
            long from = Math.max(start, range.start());
            long end = Math.min(start + after.length, range.start() + range.size());
            if (from < end) {
                byte[] old = Arrays.copyOfRange(before, (int) (from - start), (int) (end - start));
                byte[] now = Arrays.copyOfRange(after, (int) (from - start), (int) (end - start));
                boolean usual = Alteration.usual(range.part(), who.means);
                if (to.size() < (usual ? CAPACITY / 2 : CAPACITY)) {
                    long due = usual ? slot(when) : when.nanos;
                    Note note = new Note(
                            numbers.getAndIncrement(), due, when, range, from, old, now, who, Thread.currentThread());
                    to.add(note);
                    last = usual ? last : Optional.of(note);
                } else {
                    lost.incrementAndGet();
                }
            }
        }
        return last;
    }

    /** When a usual change may be given out. */
    private long slot(Moment when) {
        long own = slot.updateAndGet(last -> Math.max(last + USUAL_NANOS, when.nanos));
        return own + BUNCH_NANOS - Math.floorMod(own, BUNCH_NANOS);
    }

    /**
     * The next change; the one before has been told then. They come in the order in which they were noted, but
     * {@link Alteration#usual} ones after the others, some milliseconds later, and 2,000 of them a second at the most. For one
     * thread.
     *
     * @param timeout how long to wait for one
     * @return empty if none came
     */
    public Optional<Alteration> poll(Duration timeout) throws InterruptedException {
        taken.filter(note -> !note.usual()).ifPresent(note -> {
            told = note.number;
            LockSupport.unpark(note.writer);
        });
        taken = Optional.ofNullable(notes.poll(timeout.toNanos(), TimeUnit.NANOSECONDS));
        if (taken.isEmpty()) {
            // To tell a change takes memory, and what needs a collection for that is late.
            YoungSpace.makeRoom(ROOM);
        }
        return taken.map(this::described);
    }

    private Alteration described(Note note) {
        return new Alteration(
                note.when.time,
                note.when.nanos,
                note.range.part(),
                kernel.physical(note.linear),
                note.linear,
                kernel.name(note.range, note.linear),
                note.before,
                note.after,
                note.who.means,
                note.who.cpu,
                note.who.instruction,
                code(note.who));
    }

    private String code(Who who) {
        String known = who.code.get();
        return known.isEmpty() && who.instruction != 0 ? kernel.code(who.instruction) : known;
    }

    /** The parts that are watched, a line for each, for people. */
    public List<String> watched() {
        return kernel.ranges().stream()
                .map(range -> range.name() + " 0x" + Long.toHexString(range.start()) + " +0x"
                        + Long.toHexString(range.size()))
                .toList();
    }

    /**
     * Watches no more.
     *
     * @throws dev.multivisor.host.HostException if called from inside a method of a page listener
     */
    @Override
    public void close() {
        registration.close();
        WATCHING.decrementAndGet();
    }
}
