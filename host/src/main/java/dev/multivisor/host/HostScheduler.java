package dev.multivisor.host;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

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
    private static final int SCHED_DEADLINE = 6;

    /** Threads and processes that the thread starts do not inherit its policy. */
    private static final int SCHED_RESET_ON_FORK = 0x40000000;

    /** The same, as a flag of {@code struct sched_attr}; SCHED_DEADLINE lets none start without. */
    private static final long RESET_ON_FORK = 1;

    private static final Handles HANDLES = bind();

    /** Its number in the x86-64 system-call table; the C library has no function for it before glibc 2.41. */
    private static final long SYS_SCHED_SETATTR = 314;

    /** {@code struct sched_attr} as of its first version (sched_setattr(2)); times are in nanoseconds. */
    private static final StructLayout ATTRIBUTES = MemoryLayout.structLayout(
            JAVA_INT.withName("size"),
            JAVA_INT.withName("policy"),
            JAVA_LONG.withName("flags"),
            JAVA_INT.withName("nice"),
            JAVA_INT.withName("priority"),
            JAVA_LONG.withName("runtime"),
            JAVA_LONG.withName("deadline"),
            JAVA_LONG.withName("period"));

    private static final VarHandle SIZE = ATTRIBUTES.varHandle(PathElement.groupElement("size"));
    private static final VarHandle POLICY = ATTRIBUTES.varHandle(PathElement.groupElement("policy"));
    private static final VarHandle FLAGS = ATTRIBUTES.varHandle(PathElement.groupElement("flags"));
    private static final VarHandle DEADLINE = ATTRIBUTES.varHandle(PathElement.groupElement("deadline"));
    private static final VarHandle PERIOD = ATTRIBUTES.varHandle(PathElement.groupElement("period"));
    private static final VarHandle RUNTIME = ATTRIBUTES.varHandle(PathElement.groupElement("runtime"));

    /** {@code struct sched_param} of each priority that is used. */
    private static final MemorySegment PRIORITIES = Arena.global().allocateFrom(JAVA_INT, 0, 1, 2, 3, 4);

    private record Handles(
            MethodHandle gettid,
            MethodHandle getScheduler,
            MethodHandle setScheduler,
            MethodHandle setAttributes,
            boolean bound) {

        static final Handles NOTHING = new Handles(null, null, null, null, false);
    }

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
        return isUsual(thread) && set(thread, SCHED_FIFO | SCHED_RESET_ON_FORK, priority);
    }

    /**
     * Has a thread of the usual policy go before all others, on terms of {@link Terms#share}. It does so by way of SCHED_FIFO: Linux
     * takes a lock for SCHED_DEADLINE, where a usual thread may lose its processor for some milliseconds.
     *
     * @return whether it is so now
     */
    static boolean first(int thread, Terms terms) {
        if (!set(thread, SCHED_FIFO | SCHED_RESET_ON_FORK, Urgency.SAFEPOINTS)) {
            return false;
        }
        if (!terms.set(thread)) {
            usual(thread);
            return false;
        }
        return true;
    }

    /** Takes back {@link #urgent}. */
    static void usual(int thread) {
        set(thread, SCHED_OTHER, 0);
    }

    /** Whether nobody chose another policy than the usual one for a thread. */
    static boolean isUsual(int thread) {
        return policy(thread) == SCHED_OTHER;
    }

    /** How a thread shares processors with others: {@code struct sched_attr}. Done on x86-64 only. */
    static final class Terms {
        private final MemorySegment attributes = Arena.global().allocate(ATTRIBUTES);

        private Terms(int policy, long flags, long runtime, long period) {
            SIZE.set(attributes, 0L, (int) ATTRIBUTES.byteSize());
            POLICY.set(attributes, 0L, policy);
            FLAGS.set(attributes, 0L, flags);
            RUNTIME.set(attributes, 0L, runtime);
            DEADLINE.set(attributes, 0L, period);
            PERIOD.set(attributes, 0L, period);
        }

        /**
         * In the usual way, but it has a processor sooner, for less time at once, when it has something to do; everybody may.
         * Linux heeds it from 6.12 on.
         *
         * @param nanos 100,000 to 100,000,000; 0 for the system's choice
         */
        static Terms turns(long nanos) {
            return new Terms(SCHED_OTHER, 0, nanos, 0);
        }

        /**
         * Before all others, for so long in each period and no longer, which needs CAP_SYS_NICE. Linux counts at each tick of
         * its clock only, and takes what was too much from the next periods.
         */
        static Terms share(long nanos, long period) {
            return new Terms(SCHED_DEADLINE, RESET_ON_FORK, nanos, period);
        }

        /**
         * Has a thread take part like this; whether the system took it.
         *
         * <p>Reason: the JDK knows neither policies nor time slices. Safety: the structure is as long as it says and is read during
         * the call; a thread that is gone is an error that the system reports.
         */
        boolean set(int thread) {
            if (!HANDLES.bound || !System.getProperty("os.arch").equals("amd64")) {
                return false;
            }
            try {
                return (long) HANDLES.setAttributes.invokeExact(SYS_SCHED_SETATTR, thread, attributes, 0) == 0;
            } catch (Throwable e) {
                throw Libc.rethrow(e);
            }
        }
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
     * Reason: the JDK knows no scheduling policies. Safety: the parameter is a struct of one int, which nobody changes;
     * a thread that is gone, or is not this process's to change, is an error that the system reports.
     */
    private static boolean set(int thread, int policy, int priority) {
        try {
            MemorySegment parameter = PRIORITIES.asSlice(priority * JAVA_INT.byteSize(), JAVA_INT);
            return (int) HANDLES.setScheduler.invokeExact(thread, policy, parameter) == 0;
        } catch (Throwable e) {
            throw Libc.rethrow(e);
        }
    }

    @SuppressWarnings("restricted") // the base is given native access by the launcher; a refusal is handled
    private static Handles bind() {
        if (!HostScheduler.class.getModule().isNativeAccessEnabled()) {
            return Handles.NOTHING;
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
                    linker.downcallHandle(
                            lookup.findOrThrow("syscall"),
                            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT),
                            Linker.Option.firstVariadicArg(1)),
                    true);
        } catch (RuntimeException | LinkageError e) {
            return Handles.NOTHING;
        }
    }
}
