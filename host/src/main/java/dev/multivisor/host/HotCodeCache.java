package dev.multivisor.host;

import dev.multivisor.api.Boot;
import dev.multivisor.api.GuestMemory;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.zip.CRC32C;

/**
 * Which code of guests was hot, a file for each kernel, so that the next guest with it is fast sooner. It is no more than
 * advice: an engine uses it only for code that it finds in the guest's memory as it was. So whatever goes wrong here is
 * left at that.
 */
final class HotCodeCache {
    private static final System.Logger LOG = System.getLogger(HotCodeCache.class.getName());

    private static final Duration KEPT_UNUSED = Duration.ofDays(30);

    /** An engine may hang. */
    private static final Duration PATIENCE = Duration.ofSeconds(2);

    /** Many times what an engine tells. */
    private static final long MOST_BYTES = 8 << 20;

    /** What is read in one go to tell kernels apart. */
    private static final long CHUNK = 1 << 20;

    private final Path folder;

    HotCodeCache(Path folder) {
        this.folder = folder;
    }

    /** What is known of a kernel. */
    Entry of(Boot boot) {
        MemorySegment kernel = boot.kernel().bytes();
        CRC32C sum = new CRC32C();
        for (long at = 0; at < kernel.byteSize(); at += CHUNK) {
            sum.update(
                    kernel.asSlice(at, Math.min(CHUNK, kernel.byteSize() - at)).asByteBuffer());
        }
        return new Entry(folder.resolve("%08x-%x".formatted(sum.getValue(), kernel.byteSize())));
    }

    /** What is known of one kernel. */
    static final class Entry {
        private final Path file;

        private Entry(Path file) {
            this.file = file;
        }

        /** Tells an engine, before it makes a machine in this memory. */
        void ready(LoadedEngine engine, MachineSpec spec, GuestMemory memory) {
            try {
                if (Files.size(file) <= MOST_BYTES) {
                    byte[] told = Files.readAllBytes(file);
                    Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
                    Isolated.call("reading " + file, PATIENCE, () -> {
                        engine.engine().prepare(spec, told, memory, Duration.ZERO);
                        return null;
                    });
                }
            } catch (IOException | HostException e) {
                LOG.log(System.Logger.Level.DEBUG, "hot code: " + e);
            }
        }

        /** Asks a machine's engine, which says what it was told as well, unless that has not run since. */
        void keep(Machine machine) {
            try {
                byte[] told = Isolated.call("asking for hot code", PATIENCE, machine::hotCode);
                if (told.length == 0 || told.length > MOST_BYTES) {
                    return;
                }
                Path folder = Files.createDirectories(file.getParent());
                removeOld(folder);
                Path part = Files.createTempFile(folder, "part-", "");
                try {
                    Files.write(part, told);
                    Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
                } finally {
                    Files.deleteIfExists(part);
                }
            } catch (IOException | HostException e) {
                LOG.log(System.Logger.Level.DEBUG, "hot code: " + e);
            }
        }

        private static void removeOld(Path folder) throws IOException {
            Instant limit = Instant.now().minus(KEPT_UNUSED);
            try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
                for (Path old : files) {
                    if (Files.getLastModifiedTime(old).toInstant().isBefore(limit)) {
                        Files.deleteIfExists(old);
                    }
                }
            }
        }
    }
}
