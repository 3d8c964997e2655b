package dev.multivisor.host;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/**
 * What the host's scheduler is told about single threads of this process (sched(7)). A thread is named by its number,
 * {@link #NONE} where the system does not tell it. Nothing here is needed for a right result, so whatever the system refuses
 * is left undone.
 */
final class HostScheduler {
    /** No thread. */
    static final int NONE = 0;

    private static final int SCHED_OTHER = 0;
    private static final int SCHED_FIFO = 1;

    /** Threads and processes that the thread starts do not inherit its policy. */
    private static final int SCHED_RESET_ON_FORK = 0x40000000;

    private static final Handles HANDLES = bind();

    private record Handles(MethodHandle gettid, MethodHandle getScheduler, MethodHandle setScheduler, boolean bound) {}

    private HostScheduler() {}

    /**
     * The calling thread's number.
     *
     * <p>Reason: the JDK does not tell it. Safety: takes and changes nothing.
     */
    static int thread() {
        if (!HANDLES.bound) {
            return NONE;
        }
        try {
            return (int) HANDLES.gettid.invokeExact();
        } catch (Throwable e) {
            throw Libc.rethrow(e);
        }
    }

    /**
     * Lets a thread run before all usual ones, which needs CAP_SYS_NICE or RLIMIT_RTPRIO. One for which its owner chose
     * another policy than the usual one keeps that.
     *
     * @param priority among urgent threads; a higher one goes first
     * @return whether it is so now
     */
    static boolean urgent(int thread, int priority) {
        return policy(thread) == SCHED_OTHER && set(thread, SCHED_FIFO | SCHED_RESET_ON_FORK, priority);
    }

    /** Takes back {@link #urgent}. */
    static void usual(int thread) {
        set(thread, SCHED_OTHER, 0);
    }

    /** Reason: the JDK knows no scheduling policies. Safety: changes nothing; a thread that is gone is an error. */
    private static int policy(int thread) {
        if (thread == NONE || !HANDLES.bound) {
            return -1;
        }
        try {
            return (int) HANDLES.getScheduler.invokeExact(thread);
        } catch (Throwable e) {
            throw Libc.rethrow(e);
        }
    }

    /**
     * Reason: the JDK knows no scheduling policies. Safety: the parameter is a struct of one int, read during the call;
     * a thread that is gone, or is not this process's to change, is an error that the system reports.
     */
    private static boolean set(int thread, int policy, int priority) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment parameter = arena.allocateFrom(JAVA_INT, priority);
            return (int) HANDLES.setScheduler.invokeExact(thread, policy, parameter) == 0;
        } catch (Throwable e) {
            throw Libc.rethrow(e);
        }
    }

    @SuppressWarnings("restricted") // the base is given native access by the launcher; a refusal is handled
    private static Handles bind() {
        if (!HostScheduler.class.getModule().isNativeAccessEnabled()) {
            return new Handles(null, null, null, false);
        }
        try {
            Linker linker = Linker.nativeLinker();
            SymbolLookup lookup = linker.defaultLookup();
            return new Handles(
                    linker.downcallHandle(lookup.findOrThrow("gettid"), FunctionDescriptor.of(JAVA_INT)),
                    linker.downcallHandle(
                            lookup.findOrThrow("sched_getscheduler"), FunctionDescriptor.of(JAVA_INT, JAVA_INT)),
                    linker.downcallHandle(
                            lookup.findOrThrow("sched_setscheduler"),
                            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS)),
                    true);
        } catch (RuntimeException | LinkageError e) {
            return new Handles(null, null, null, false);
        }
    }
}
