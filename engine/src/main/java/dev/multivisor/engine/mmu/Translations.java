package dev.multivisor.engine.mmu;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

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

    /** A page whose fast write entries are to be dropped; {@link #EVERY_PAGE} stands for all that are watched. */
    private record Request(long physicalPage, Request next, int depth) {}

    private static final long EVERY_PAGE = -1;
    private static final int MAX_REQUESTS = 64;

    /** For supervisor mode, implicit accesses, and supervisor mode with EFLAGS.AC while CR4.SMAP is clear. */
    final Tlb supervisor = new Tlb();

    /** For supervisor mode with EFLAGS.AC set and CR4.SMAP too. */
    final Tlb suspended = new Tlb();

    final Tlb user = new Tlb();

    private final Tlb[] sets = {supervisor, suspended, user};
    private final PhysicalMemory memory;
    private final PageWalk walk;
    private final DataBreakpoints breakpoints;
    private final LargePages largePages = new LargePages();

    /** Frames, by hash, that may have a fast write entry: most requests find that there is none. */
    private final long[] written = new long[1024];

    private Cpu cpu;

    @SuppressWarnings("unused") // accessed through REQUESTS
    private volatile Request requests;

    Translations(PhysicalMemory memory, PageWalk walk, DataBreakpoints breakpoints) {
        this.memory = memory;
        this.walk = walk;
        this.breakpoints = breakpoints;
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
        if ((set.tags[index + kind] & ~Tlb.SLOW) != page) {
            boolean asUser = set == user;
            walk.walk(cpu, linear, kind, asUser, set == suspended);
            fill(set, index, page, kind);
        } else if (set.tags[index + kind] != page) {
            permit(set, index, page, kind);
        }
        return set.physical[index >>> Tlb.STRIDE_BITS] & PAGES | linear & 4095;
    }

    private void fill(Tlb set, int index, long page, int kind) {
        long physical = walk.frame;
        boolean global = walk.global;
        boolean same = set.holds(index, page)
                && set.physical[index >>> Tlb.STRIDE_BITS] == (physical | (global ? 1 : 0));
        if (!same) {
            if (set.fastWrite(index)) {
                beforeForgetting();
            }
            set.take(index, page, physical, memory.ramOffset(physical), global);
            largePages.note(page, walk.pageBits);
        }
        permit(set, index, page, kind);
        if (kind == Tlb.WRITE) {
            permit(set, index, page, Tlb.READ);
        } else if (kind == Tlb.READ && walk.mayWrite(cpu, set == user)) {
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
        set.tags[index + kind] = fast ? page : page | Tlb.SLOW;
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
    }

    /** Forgets translations that are not global. */
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

    /** Asks this vCPU to drop fast write entries of a page. From any thread. */
    void request(long physicalPage) {
        Request head;
        Request next;
        do {
            head = (Request) REQUESTS.getVolatile(this);
            if (head != null && head.physicalPage == EVERY_PAGE) {
                break;
            }
            boolean full = head != null && head.depth == MAX_REQUESTS;
            next = full
                    ? new Request(EVERY_PAGE, null, 1)
                    : new Request(physicalPage, head, head == null ? 1 : head.depth + 1);
        } while (!REQUESTS.compareAndSet(this, head, next));
        cpu.interrupt();
    }

    void handleRequests() {
        if (REQUESTS.getAcquire(this) != null) {
            takeRequests();
        }
    }

    private void takeRequests() {
        for (Request r = (Request) REQUESTS.getAndSet(this, null); r != null; r = r.next) {
            if (r.physicalPage == EVERY_PAGE) {
                dropWatchedWrites();
            } else if (dropWrites(r.physicalPage)) {
                memory.watch.mayHaveWritten(r.physicalPage, memory.ramOffset(r.physicalPage));
            }
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
        boolean found = false;
        for (Tlb set : sets) {
            for (int index = 0; index < set.tags.length; index += 1 << Tlb.STRIDE_BITS) {
                if (set.fastWrite(index)) {
                    long physical = set.physical[index >>> Tlb.STRIDE_BITS] & PAGES;
                    if (physical == physicalPage) {
                        set.tags[index + Tlb.WRITE] |= Tlb.SLOW;
                        found = true;
                    } else {
                        written[filterWord(physical)] |= 1L << (physical >>> 12);
                    }
                }
            }
        }
        return found;
    }

    private void dropWatchedWrites() {
        for (Tlb set : sets) {
            for (int index = 0; index < set.tags.length; index += 1 << Tlb.STRIDE_BITS) {
                if (set.fastWrite(index)) {
                    long physical = set.physical[index >>> Tlb.STRIDE_BITS] & PAGES;
                    long offset = memory.ramOffset(physical);
                    if (memory.watch.flags(offset) != 0) {
                        set.tags[index + Tlb.WRITE] |= Tlb.SLOW;
                        memory.watch.mayHaveWritten(physical, offset);
                    }
                }
            }
        }
    }
}
