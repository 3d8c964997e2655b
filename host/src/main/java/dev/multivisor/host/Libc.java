package dev.multivisor.host;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;

/**
 * The C library's functions that the base calls. Bound once; where that is impossible, {@link #reason} says why
 * instead of failing when the class is loaded.
 *
 * <p>What calls take is in automatic arenas. As long as no memory of a thread's own is accessed, HotSpot leaves the question
 * whose memory it is out of all accesses, and so out of each of the guest's.
 */
final class Libc {
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_FIXED = 0x10;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MAP_NORESERVE = 0x4000;
    private static final int MADV_HUGEPAGE = 14;
    private static final int MADV_DONTDUMP = 16;
    private static final long MAP_FAILED = -1;
    private static final int ENOMEM = 12;
    private static final int O_RDONLY_CLOEXEC = 0x80000;

    private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = CALL_STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));

    private static final Handles HANDLES = bind();

    private record Handles(
            MethodHandle mmap,
            MethodHandle munmap,
            MethodHandle madvise,
            MethodHandle open,
            MethodHandle close,
            String reason) {}

    private Libc() {}

    /** Why nothing here may be called; empty when all is well. */
    static String reason() {
        return HANDLES.reason;
    }

    /**
     * Maps zeroed memory that takes no page until it is touched.
     *
     * <p>Reason: the JDK's own allocation touches every page to clear it. Safety: asks for a new mapping wherever the
     * system likes, so that nothing existing is replaced; the result is checked before it is used.
     */
    static long mapAnonymous(long size) {
        try {
            MemorySegment state = Arena.ofAuto().allocate(CALL_STATE);
            int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
            MemorySegment result = (MemorySegment)
                    HANDLES.mmap.invokeExact(state, MemorySegment.NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0L);
            if (result.address() == MAP_FAILED) {
                throw new HostException("guest memory: the system refuses to map " + MemorySize.format(size)
                        + " (errno " + (int) ERRNO.get(state, 0L) + ")");
            }
            return result.address();
        } catch (Throwable e) {
            throw rethrow(e);
        }
    }

    /**
     * Puts a part of a file, copied on write, in the place of a part of a mapping.
     *
     * <p>Reason: the JDK maps files only where the system likes, and counts every page of a private mapping as memory
     * that is in use. Safety: the caller's mapping spans the range, and nobody uses it yet; the file is only read.
     */
    static void mapFile(int descriptor, long offset, long address, long size) {
        try {
            MemorySegment state = Arena.ofAuto().allocate(CALL_STATE);
            int flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
            MemorySegment start = MemorySegment.ofAddress(address);
            MemorySegment result = (MemorySegment)
                    HANDLES.mmap.invokeExact(state, start, size, PROT_READ | PROT_WRITE, flags, descriptor, offset);
            if (result.address() != address) {
                int errno = (int) ERRNO.get(state, 0L);
                throw new HostException("guest memory: the system refuses to map a part of a file ("
                        + (errno == ENOMEM ? "more mappings than vm.max_map_count allows, or too little memory; " : "")
                        + "errno " + errno + ")");
            }
        } catch (Throwable e) {
            throw rethrow(e);
        }
    }

    /**
     * Opens a file for reading.
     *
     * <p>Reason: {@link #mapFile} needs a descriptor. Safety: the path is copied and ends with a zero.
     */
    static int open(Path file) {
        try {
            Arena arena = Arena.ofAuto();
            MemorySegment state = arena.allocate(CALL_STATE);
            MemorySegment path = arena.allocateFrom(JAVA_BYTE, bytes(file));
            int descriptor = (int) HANDLES.open.invokeExact(state, path, O_RDONLY_CLOEXEC);
            if (descriptor < 0) {
                throw new HostException(
                        "memory " + file + ": cannot be opened (" + message((int) ERRNO.get(state, 0L)) + ")");
            }
            return descriptor;
        } catch (Throwable e) {
            throw rethrow(e);
        }
    }

    /** A path as the system has it, with a zero at its end: it need not be in the charset that Java takes it for. */
    private static byte[] bytes(Path file) {
        String escaped = file.toUri().getRawSchemeSpecificPart();
        byte[] bytes = new byte[escaped.length() + 1];
        int size = 0;
        for (int n = 0; n < escaped.length(); size++) {
            boolean escape = escaped.charAt(n) == '%';
            bytes[size] = (byte) (escape ? Integer.parseInt(escaped, n + 1, n + 3, 16) : escaped.charAt(n));
            n += escape ? 3 : 1;
        }
        return bytes;
    }

    /**
     * What an error's number means. Bound when it is needed, since a start has no time for it.
     *
     * <p>Reason: a number alone tells users nothing. Safety: the text is the library's, ends with a zero, and is copied.
     */
    @SuppressWarnings("restricted")
    private static String message(int errno) throws Throwable {
        Linker linker = Linker.nativeLinker();
        MethodHandle strerror = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("strerror"), FunctionDescriptor.of(ADDRESS, JAVA_INT));
        MemorySegment text = (MemorySegment) strerror.invokeExact(errno);
        return text.reinterpret(Long.MAX_VALUE).getString(0);
    }

    /**
     * Closes what {@link #open} gave; mappings stay.
     *
     * <p>Reason: its counterpart. Safety: called once for a descriptor.
     */
    static void close(int descriptor) {
        try {
            int ignored = (int) HANDLES.close.invokeExact(descriptor);
        } catch (Throwable e) {
            throw rethrow(e);
        }
    }

    /**
     * Gives memory back.
     *
     * <p>Reason: the counterpart of {@link #mapAnonymous}. Safety: called once for a mapping, by the arena that
     * guards every access to it, after the last access.
     */
    static void unmap(long address, long size) {
        try {
            int ignored = (int) HANDLES.munmap.invokeExact(MemorySegment.ofAddress(address), size);
        } catch (Throwable e) {
            throw rethrow(e);
        }
    }

    /**
     * Asks for huge pages, which spare the host's TLB, and keeps a guest's memory out of core files.
     *
     * <p>Reason: the JDK has no such advice. Safety: neither changes what the memory holds; a refusal is harmless,
     * so the result is not looked at.
     */
    static void adviseGuestMemory(long address, long size) {
        try {
            MemorySegment start = MemorySegment.ofAddress(address);
            int ignored = (int) HANDLES.madvise.invokeExact(start, size, MADV_HUGEPAGE);
            ignored = (int) HANDLES.madvise.invokeExact(start, size, MADV_DONTDUMP);
        } catch (Throwable e) {
            throw rethrow(e);
        }
    }

    // The bound method handles throw nothing of their own: what arrives is unchecked or a failure of the JVM.
    static RuntimeException rethrow(Throwable e) {
        if (e instanceof RuntimeException runtime) {
            return runtime;
        }
        if (e instanceof Error error) {
            throw error;
        }
        return new IllegalStateException(e);
    }

    @SuppressWarnings("restricted") // the base is given native access by the launcher; a refusal is handled
    private static Handles bind() {
        if (!Libc.class.getModule().isNativeAccessEnabled()) {
            return new Handles(
                    null,
                    null,
                    null,
                    null,
                    null,
                    "native access is not enabled for "
                            + (Libc.class.getModule().isNamed()
                                    ? Libc.class.getModule().getName()
                                    : "the class path"));
        }
        try {
            Linker linker = Linker.nativeLinker();
            SymbolLookup lookup = linker.defaultLookup();
            MethodHandle mmap = linker.downcallHandle(
                    lookup.findOrThrow("mmap"),
                    FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG),
                    Linker.Option.captureCallState("errno"));
            MethodHandle munmap = linker.downcallHandle(
                    lookup.findOrThrow("munmap"), FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG));
            MethodHandle madvise = linker.downcallHandle(
                    lookup.findOrThrow("madvise"), FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
            MethodHandle open = linker.downcallHandle(
                    lookup.findOrThrow("open"),
                    FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
                    Linker.Option.firstVariadicArg(2),
                    Linker.Option.captureCallState("errno"));
            MethodHandle close =
                    linker.downcallHandle(lookup.findOrThrow("close"), FunctionDescriptor.of(JAVA_INT, JAVA_INT));
            return new Handles(mmap, munmap, madvise, open, close, "");
        } catch (RuntimeException | LinkageError e) {
            return new Handles(null, null, null, null, null, String.valueOf(e.getMessage()));
        }
    }
}
