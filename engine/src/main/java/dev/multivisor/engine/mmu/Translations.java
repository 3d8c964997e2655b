package dev.multivisor.engine.mmu;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * The translations of one vCPU: its sets, how they are filled and forgotten, and the requests of other threads to drop
 * fast write entries (see {@link PageWatch}). Everything but {@link #request} is for the vCPU's own thread.
 */
final class Translations {
    private static final long PAGES = -4096L;

    private static final VarHandle REQUESTS;

    static {
        try {
            REQUESTS = MethodHandles.lookup().findVarHandle(Translations.class, "requests", Request.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /**
     * A page whose fast write entries are to be dropped; {@link #EVERY_PAGE} stands for all that are watched.
     *
     * @param ticket grows from request to request
     */
    private record Request(long physicalPage, Request next, int depth, long ticket) {}

    static final long EVERY_PAGE = -1;
    static final int MAX_REQUESTS = 64;

    /** How often one who waits for a vCPU looks before parking; a look then is a yield. */
    private static final int LOOKS = 1000;

    private static final long PARK_NANOS = 20_000;

    /** How many process contexts (PCIDs) are remembered. */
    private static final int CONTEXTS = 8;

    /** What belongs to one PCID. */
    private static final class Context {
        final Tlb suspended = new Tlb();
        final Tlb user = new Tlb();
        long pcid;
        long lastUse;
    }

    /**
     * For supervisor mode, implicit accesses, and supervisor mode with EFLAGS.AC while CR4.SMAP is clear. Kernels map
     * what they use here as global, so that it is not worth having one for each PCID: what is not global goes with
     * every load of CR3.
     */
    final Tlb supervisor = new Tlb();

    private final List<Context> contexts = new ArrayList<>();
    private Context current = new Context();
    private long uses;

    /** All that there are. */
    private Tlb[] sets = {supervisor, current.suspended, current.user};

    private final PhysicalMemory memory;
    private final PageWalk walk;
    private final DataBreakpoints breakpoints;
    private final LargePages largePages = new LargePages();

    /** Frames, by hash, that may have a fast write entry: most requests find that there is none. */
    private final long[] written = new long[1024];

    private Cpu cpu;

    @SuppressWarnings("unused") // accessed through REQUESTS
    private volatile Request requests;

    /** The last request made, under the lock of the watch, and the last one that was handled. */
    private long lastTicket;

    private volatile long handled;

    /** The thread that runs the vCPU, or null. */
    private volatile Thread thread;

    /** Whether no memory is accessed before {@link #enter}. */
    private volatile boolean away = true;

    Translations(PhysicalMemory memory, PageWalk walk, DataBreakpoints breakpoints) {
        this.memory = memory;
        this.walk = walk;
        this.breakpoints = breakpoints;
        walk.owner = this;
        contexts.add(current);
    }

    /** For supervisor mode with EFLAGS.AC set and CR4.SMAP too. */
    Tlb suspended() {
        return current.suspended;
    }

    Tlb user() {
        return current.user;
    }

    void attach(Cpu owner) {
        cpu = owner;
        memory.watch.add(this);
    }

    /**
     * The physical address for an access of a kind that stays in one page; fills the set.
     *
     * @throws CpuFault #PF
     */
    long translate(Tlb set, long linear, int kind) {
        int index = Tlb.index(linear);
        long page = linear & PAGES;
        if ((set.tags[index + kind] & ~Tlb.SLOW) != page && set.holds(Tlb.other(index, page), page)) {
            beforeForgetting();
            set.bring(index, page);
        }
        if ((set.tags[index + kind] & ~Tlb.SLOW) != page) {
            boolean asUser = set == current.user;
            cpu.counters.tlbMisses++;
            walk.walk(cpu, linear, kind, asUser, set == current.suspended);
            fill(set, index, page, kind);
        } else if (set.tags[index + kind] != page) {
            permit(set, index, page, kind);
        }
        return set.physical[index >>> Tlb.STRIDE_BITS] & PAGES | linear & 4095;
    }

    private void fill(Tlb set, int index, long page, int kind) {
        long physical = walk.frame;
        boolean global = walk.global;
        if (set.tags == Tlb.NONE) {
            set.allocate();
            cpu.mmu.allocated();
        }
        boolean same =
                set.holds(index, page) && set.physical[index >>> Tlb.STRIDE_BITS] == (physical | (global ? 1 : 0));
        if (!same) {
            beforeForgetting();
            set.take(index, page, physical, memory.ramOffset(physical), global);
            largePages.note(page, walk.pageBits);
        }
        permit(set, index, page, kind);
        if (kind == Tlb.WRITE) {
            permit(set, index, page, Tlb.READ);
        } else if (kind == Tlb.READ && walk.mayWrite(cpu, set == current.user)) {
            permit(set, index, page, Tlb.WRITE);
        }
    }

    /** Enters that accesses of a kind are permitted, and whether they may be fast. */
    private void permit(Tlb set, int index, long page, int kind) {
        long physical = set.physical[index >>> Tlb.STRIDE_BITS] & PAGES;
        long offset = memory.ramOffset(physical);
        boolean fast = kind == Tlb.EXECUTE
                || offset >= 0 && (!breakpoints.any || breakpoints.hits(page, 4096, kind == Tlb.WRITE) == 0);
        if (fast && kind == Tlb.WRITE) {
            fast = memory.watch.flags(offset) == 0;
            written[filterWord(physical)] |= 1L << (physical >>> 12);
        }
        if (fast && kind == Tlb.WRITE) {
            set.permitFastWrite(index, page);
        } else {
            set.tags[index + kind] = fast ? page : page | Tlb.SLOW;
        }
    }

    private static int filterWord(long physical) {
        return (int) (physical >>> 18) & 1023;
    }

    // ---- Forgetting ----

    /** Forgets every translation, global ones too. */
    void flushAll() {
        beforeForgetting();
        for (Tlb set : sets) {
            set.flush();
        }
        largePages.clear();
        Arrays.fill(written, 0);
        current = context(pcid());
    }

    /** CR3 was loaded: changes to its PCID's translations, and forgets those not global unless told to keep them. */
    void cr3Loaded(boolean keep) {
        beforeForgetting();
        supervisor.flushNonGlobal();
        current = context(pcid());
        if (!keep) {
            current.suspended.flushNonGlobal();
            current.user.flushNonGlobal();
        }
    }

    private long pcid() {
        return (cpu.cr4 & Cpu.CR4_PCIDE) != 0 ? cpu.cr3 & 0xfff : 0;
    }

    private Context context(long pcid) {
        Context oldest = contexts.getFirst();
        for (Context context : contexts) {
            if (context.pcid == pcid) {
                context.lastUse = ++uses;
                return context;
            }
            if (context.lastUse < oldest.lastUse) {
                oldest = context;
            }
        }
        if (contexts.size() < CONTEXTS) {
            oldest = new Context();
            contexts.add(oldest);
            sets = Arrays.copyOf(sets, sets.length + 2);
            sets[sets.length - 2] = oldest.suspended;
            sets[sets.length - 1] = oldest.user;
        } else {
            oldest.suspended.flush();
            oldest.user.flush();
        }
        oldest.pcid = pcid;
        oldest.lastUse = ++uses;
        return oldest;
    }

    /** Forgets translations that are not global, of every PCID. */
    void flushNonGlobal() {
        beforeForgetting();
        for (Tlb set : sets) {
            set.flushNonGlobal();
        }
    }

    /** Forgets what is known of a page, global or not, and of the whole of a large page. */
    void flushPage(long linear) {
        beforeForgetting();
        if (largePages.mayBeHuge(linear)) {
            flushAll();
            return;
        }
        boolean large = largePages.mayBeLarge(linear);
        for (Tlb set : sets) {
            if (large) {
                set.flushRun(linear & -LargePages.SIZE, LargePages.SIZE);
            } else {
                set.flushRun(linear & PAGES, 4096);
            }
        }
    }

    // ---- Requests ----

    /**
     * Asks this vCPU to drop fast write entries of a page, or of each that is watched. From any thread, under the lock
     * of the watch.
     *
     * @return what to {@link #await}
     */
    long request(long physicalPage) {
        long ticket = ++lastTicket;
        Request head;
        Request next;
        do {
            head = (Request) REQUESTS.getVolatile(this);
            boolean every = physicalPage == EVERY_PAGE
                    || head != null && (head.physicalPage == EVERY_PAGE || head.depth == MAX_REQUESTS);
            next = every
                    ? new Request(EVERY_PAGE, null, 1, ticket)
                    : new Request(physicalPage, head, head == null ? 1 : head.depth + 1, ticket);
        } while (!REQUESTS.compareAndSet(this, head, next));
        cpu.interrupt();
        return ticket;
    }

    /** Returns when a request is handled, or will be before this vCPU accesses memory. */
    void await(long ticket) {
        for (int looks = 0; handled < ticket && !away; looks++) {
            if (looks < LOOKS) {
                Thread.yield();
            } else {
                LockSupport.parkNanos(this, PARK_NANOS);
            }
        }
    }

    /** The current thread is about to access memory for this vCPU. */
    void enter() {
        thread = Thread.currentThread();
        away = false;
        // Either who asks for something sees that the vCPU is back, or the vCPU sees the request.
        VarHandle.fullFence();
        handleRequests();
    }

    /** No memory is accessed until {@link #enter}. Returns whether it was so before. */
    boolean leave() {
        boolean before = away;
        away = true;
        return before;
    }

    /** Whether this is the thread that runs the vCPU, or ran it last. */
    boolean isHere() {
        return thread == Thread.currentThread();
    }

    int number() {
        return cpu.number;
    }

    /** The linear address of the instruction being executed. */
    long instruction() {
        long rip = cpu.r[Cpu.RIP];
        return cpu.codeSize == 64 ? rip : cpu.segmentBase[Cpu.CS] + rip & 0xffffffffL;
    }

    void handleRequests() {
        if (REQUESTS.getAcquire(this) != null) {
            takeRequests();
        }
    }

    private void takeRequests() {
        Request newest = (Request) REQUESTS.getAndSet(this, null);
        for (Request r = newest; r != null; r = r.next) {
            if (r.physicalPage == EVERY_PAGE) {
                dropWatchedWrites();
            } else if (dropWrites(r.physicalPage)) {
                memory.watch.mayHaveWritten(r.physicalPage, memory.ramOffset(r.physicalPage));
            }
        }
        if (newest != null) {
            handled = newest.ticket;
        }
    }

    private void beforeForgetting() {
        VarHandle.fullFence();
        handleRequests();
    }

    /** Makes writes to a page slow. Returns whether any could have been fast. */
    boolean dropWrites(long physicalPage) {
        if ((written[filterWord(physicalPage)] & 1L << (physicalPage >>> 12)) == 0) {
            return false;
        }
        Arrays.fill(written, 0);
        // No closure may change a local variable.
        boolean[] found = {false};
        for (Tlb set : sets) {
            set.dropFastWrites(index -> {
                long physical = set.physical[index >>> Tlb.STRIDE_BITS] & PAGES;
                if (physical == physicalPage) {
                    found[0] = true;
                    return true;
                }
                written[filterWord(physical)] |= 1L << (physical >>> 12);
                return false;
            });
        }
        return found[0];
    }

    private void dropWatchedWrites() {
        for (Tlb set : sets) {
            set.dropFastWrites(index -> {
                long physical = set.physical[index >>> Tlb.STRIDE_BITS] & PAGES;
                long offset = memory.ramOffset(physical);
                if (memory.watch.flags(offset) == 0) {
                    return false;
                }
                memory.watch.mayHaveWritten(physical, offset);
                return true;
            });
        }
    }
}
