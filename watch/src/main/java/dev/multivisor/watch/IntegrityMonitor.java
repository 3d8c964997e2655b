package dev.multivisor.watch;

import dev.multivisor.host.PageListener;
import dev.multivisor.host.PageRegistration;
import dev.multivisor.host.PromptThread;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.host.YoungSpace;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.DelayQueue;
import java.util.concurrent.Delayed;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Watches the code, the interrupt table and the system calls' tables of a running guest's Linux kernel, and tells each
 * change of them with the instruction that made it. An example of a user of {@link dev.multivisor.host.PageTracker}: it
 * adds the pages, keeps a copy of them for what was there before, and tells a write on the thread that made it, a vCPU's for
 * the most part: that has a processor, and the guest does not get on before somebody knows. Everything goes on when the
 * machine moves to another engine.
 *
 * <p>A kernel changes its own code too, for static keys and calls, tracing and probes. It does this through a mapping
 * that nothing else uses, which the writing vCPU's CR3 tells. Such changes are {@link Alteration.Means#TEXT_POKE}, and are
 * kept for {@link #poll}.
 *
 * <p>Not seen are changes that need no write to these pages: another IDT (LIDT) or entry of system calls (LSTAR), other
 * page tables, pointers in the kernel's data, the code of modules.
 */
public final class IntegrityMonitor implements AutoCloseable {
    /** How many changes wait to be taken. */
    private static final int CAPACITY = 10_000;

    private static final int PAGE = 4096;

    /**
     * {@link Alteration#usual} changes are given out a bunch at a time, and no more of them than one in USUAL_NANOS. They come by
     * the hundred, and another change cannot be read before what was told earlier: the way to a reader that has stopped for a
     * moment must not be full of them, nor whoever tells wake up, and take away a processor, for each.
     */
    private static final long USUAL_NANOS = 500_000, BUNCH_NANOS = 5_000_000;

    /**
     * Code that runs for the first time is slow, and HotSpot's compilers, which it wakes, hold locks that it waits for. So all that
     * tells a change is practised: so often before the first real one, so often in all, and so much of that when no change comes.
     */
    private static final int PRACTICE = 6000, MOST_PRACTICE = 30_000, SOME_PRACTICE = 50;

    /** Bytes of the JVM's heap that changes take which come one after the other, such as those for a module. */
    private static final long ROOM = 12 << 20;

    /** While they come, enough until the next look. */
    private static final long LEAST = 8 << 20;

    /**
     * For how long a kernel that is starting is taken to be where it was found: to find it is to read much of it, which takes
     * the processors that its start needs.
     */
    private static final long FOUND_NANOS = 5_000_000_000L;

    /** At the end of where modules are (MODULES_END), where none is. */
    private static final long NO_MODULE = 0xffff_ffff_fefe_f000L;

    /** How often this process has. */
    private static final AtomicInteger PRACTISED = new AtomicInteger();

    /** How many watch in this process. */
    private static final AtomicInteger WATCHING = new AtomicInteger();

    private record Moment(Instant time, long nanos) {
        static Moment now() {
            return new Moment(Instant.now(), System.nanoTime());
        }
    }

    private record Who(Alteration.Means means, int cpu, long instruction) {}

    /** What a write changed in one of the ranges. */
    private record Note(Moment when, GuestKernel.Range range, long linear, byte[] before, byte[] after, Who who) {
        boolean usual() {
            return Alteration.usual(range.part(), who.means);
        }
    }

    /**
     * One that waits; the rest is found out by whoever takes it.
     *
     * @param due when it may be taken, by {@link System#nanoTime}
     */
    private record Waiting(long number, long due, Note note) implements Delayed {
        @Override
        public long getDelay(TimeUnit unit) {
            return unit.convert(due - System.nanoTime(), TimeUnit.NANOSECONDS);
        }

        @Override
        public int compareTo(Delayed other) {
            return Long.compare(number, ((Waiting) other).number);
        }
    }

    private final VirtualMachine machine;
    private final GuestKernel kernel;
    private final PageRegistration registration;

    private final Consumer<Alteration> told;

    private final DelayQueue<Waiting> waiting = new DelayQueue<>();

    private final AtomicLong numbers = new AtomicLong();

    /** When the last of the usual ones may be taken. */
    private final AtomicLong slot = new AtomicLong(System.nanoTime());

    private final AtomicLong lost = new AtomicLong();

    /** Not while what tells a change is practised first. */
    private volatile boolean begun;

    private final AtomicBoolean open = new AtomicBoolean(true);

    /** What watched pages hold, by frame; outside of the heap, whose collections would move it. Guarded by itself. */
    private final Map<Long, ByteBuffer> copies = new HashMap<>();

    private IntegrityMonitor(VirtualMachine machine, GuestKernel kernel, Consumer<Alteration> told) {
        this.machine = machine;
        this.kernel = kernel;
        this.told = told;
        registration = machine.pages().register(new PageListener() {
            @Override
            public boolean mayBeUrgent() {
                return true;
            }

            @Override
            public void onWrite(long address, byte[] bytes, Writer writer) {
                if (begun || bytes.length == 0) {
                    written(Moment.now(), address, bytes, writer);
                }
            }
        });
        try {
            if (PRACTISED.get() < PRACTICE) {
                prepare();
            }
            // A report waits until there is something to compare with; add does not wait for those who wait here.
            synchronized (copies) {
                begun = true;
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
     * @param told is told each change that is not {@link Alteration#usual}, on the thread that made it, while the vCPU waits:
     *     so several at a time, if two vCPUs make them, and perhaps before this method returns. It must be quick and wait for
     *     nothing, and may not call {@link #close}
     * @throws WatchException if there is none that is recognised, or if it has not started yet
     * @throws dev.multivisor.host.HostException if the machine is closed, or on an engine that cannot track pages
     */
    public static IntegrityMonitor attach(VirtualMachine machine, BooleanSupplier wait, Consumer<Alteration> told) {
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
                    return new IntegrityMonitor(machine, kernel, told);
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

    /** How many {@link Alteration#usual} changes were forgotten because nobody had taken those before. */
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

    /** Before anything is watched: nobody waits for it. */
    private void prepare() {
        registration.add(firstFrame(), 1);
        copies.put(firstFrame(), ByteBuffer.allocate(PAGE));
        practise(PRACTICE - PRACTISED.get());
        registration.remove(firstFrame(), 1);
    }

    private long firstFrame() {
        return kernel.physical(kernel.ranges().getFirst().start()) / PAGE;
    }

    private void practise(int times) {
        // More than two kinds, so that HotSpot takes none of them for the only one.
        List<Consumer<Alteration>> nobody =
                List.of(change -> {}, change -> Thread.onSpinWait(), change -> Thread.yield());
        for (int n = 0; n < times; n++) {
            GuestKernel.Range range = kernel.ranges().get(n % kernel.ranges().size());
            Who somebody = who(new PageListener.Writer.Cpu(0, n % 2 == 0 ? range.start() : NO_MODULE));
            // One that is told at once, and is not left for poll.
            Who who = new Who(Alteration.Means.CPU, somebody.cpu, somebody.instruction);
            Consumer<Alteration> to = nobody.get(n % nobody.size());
            registration.practise(firstFrame());
            notes(Moment.now(), kernel.physical(range.start()), new byte[8], new byte[8], who)
                    .forEach(note -> PromptThread.perhaps(() -> tell(note, to)));
        }
        PRACTISED.addAndGet(Math.max(times, 0));
    }

    /**
     * On the thread that wrote. What the kernel does to itself is not urgent, but takes the same way: so that is warm when it
     * has to be, and HotSpot's compilers, which cold code wakes, take the processor from nobody who tells something.
     */
    private void written(Moment when, long address, byte[] bytes, PageListener.Writer writer) {
        byte[] before = new byte[bytes.length];
        int from = (int) (address % PAGE);
        synchronized (copies) {
            copies.get(address / PAGE).get(from, before).put(from, bytes);
        }
        if (!Arrays.equals(before, bytes)) {
            notes(when, address, before, bytes, who(writer)).forEach(note -> tell(note, told));
        }
    }

    private void tell(Note note, Consumer<Alteration> to) {
        if (!note.usual()) {
            PromptThread.run(() -> to.accept(described(note)));
        } else if (waiting.size() < CAPACITY) {
            waiting.add(new Waiting(numbers.getAndIncrement(), slot(note.when), note));
        } else {
            lost.incrementAndGet();
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

    /** What of a write is in each of the ranges: mostly one. */
    private List<Note> notes(Moment when, long address, byte[] before, byte[] after, Who who) {
        long start = kernel.linear(address);
        List<Note> found = new ArrayList<>(1);
        for (GuestKernel.Range range : kernel.ranges()) {
            long from = Math.max(start, range.start());
            long end = Math.min(start + after.length, range.start() + range.size());
            if (from < end) {
                byte[] old = Arrays.copyOfRange(before, (int) (from - start), (int) (end - start));
                byte[] now = Arrays.copyOfRange(after, (int) (from - start), (int) (end - start));
                found.add(new Note(when, range, from, old, now, who));
            }
        }
        return found;
    }

    /** When a usual change may be given out. */
    private long slot(Moment when) {
        long own = slot.updateAndGet(last -> Math.max(last + USUAL_NANOS, when.nanos));
        return own + BUNCH_NANOS - Math.floorMod(own, BUNCH_NANOS);
    }

    /**
     * The next {@link Alteration#usual} change. They come in the order in which they were made, some milliseconds later, and 2,000
     * of them a second at the most. For one thread.
     *
     * @param timeout how long to wait for one
     * @return empty if none came
     */
    public Optional<Alteration> poll(Duration timeout) throws InterruptedException {
        Waiting next = waiting.poll(timeout.toNanos(), TimeUnit.NANOSECONDS);
        // To tell a change takes memory, and one that needs a collection for that is late.
        YoungSpace.makeRoom(next == null ? ROOM : LEAST);
        // What is practised reads the guest's memory.
        if (next == null && PRACTISED.get() < MOST_PRACTICE && !machine.ended()) {
            practise(SOME_PRACTICE);
        }
        return Optional.ofNullable(next).map(one -> described(one.note));
    }

    /** All {@link Alteration#usual} changes that are left, for an end: {@link #poll} gives them out at its pace. For the same thread. */
    public List<Alteration> rest() {
        Waiting[] left = waiting.toArray(new Waiting[0]);
        waiting.clear();
        Arrays.sort(left);
        return Arrays.stream(left).map(one -> described(one.note)).toList();
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
                note.who.instruction == 0 ? "" : kernel.code(note.who.instruction));
    }

    /** The parts that are watched, a line for each, for people. */
    public List<String> watched() {
        return kernel.ranges().stream()
                .map(range -> range.name() + " 0x" + Long.toHexString(range.start()) + " +0x"
                        + Long.toHexString(range.size()))
                .toList();
    }

    /**
     * Watches no more; once it is closed, nothing happens.
     *
     * @throws dev.multivisor.host.HostException if called from inside a method of a page listener
     */
    @Override
    public void close() {
        registration.close();
        if (open.getAndSet(false)) {
            WATCHING.decrementAndGet();
        }
    }
}
