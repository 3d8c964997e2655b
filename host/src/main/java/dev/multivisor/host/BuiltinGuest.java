package dev.multivisor.host;

import dev.multivisor.api.Boot;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A guest of a few kilobytes that comes with this program: a 64-bit kernel with timer interrupts on every processor (the first
 * eight), which computes without end, watches its clock and reports on the serial port each 100 ms. Its source and the meaning of
 * its reports are in {@code guests/builtin}. It needs {@link #MEMORY} at most.
 */
public final class BuiltinGuest {
    /** Guest memory, in bytes, that is more than enough for it. */
    public static final long MEMORY = 16L << 20;

    private static final String FILE = "builtin.bin";

    private BuiltinGuest() {}

    /**
     * The guest, ready to start.
     *
     * @param commandLine words separated by blanks: {@code seconds=N} ends it after so long by debug-exit, with 0 or, if
     *     anything was wrong, 1; {@code hz=N} sets the rate of its timer, 1000 by default; {@code quiet} leaves
     *     out all reports but the last; {@code vary} has it use many more forms of
     *     instructions; {@code idle} lets it sleep between the timer's beats
     */
    public static Boot boot(String commandLine) {
        return new Boot(new Boot.Image("built-in guest", MemorySegment.ofArray(image())), List.of(), commandLine);
    }

    /** The kernel's file, for Multiboot 1. */
    static byte[] image() {
        try (InputStream file = BuiltinGuest.class.getResourceAsStream(FILE)) {
            if (file == null) {
                throw new HostException("built-in guest: " + FILE + " is missing in this installation");
            }
            return file.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException("built-in guest: " + FILE, e);
        }
    }
}
