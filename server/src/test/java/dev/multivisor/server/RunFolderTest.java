package dev.multivisor.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.host.HostException;
import dev.multivisor.host.UserFolders;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFolderTest {
    /** No process has it: Linux's limit is 2^22. */
    private static final long NO_PROCESS = 4_194_305;

    @TempDir
    Path work;

    @Test
    void theFolderIsItsOwnersAlone() throws Exception {
        Path folder = work.resolve("run");
        RunFolder.open(folder);
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)));
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
        RunFolder.open(folder);
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)));
    }

    @Test
    void somebodyElsesFolderIsRefused() throws Exception {
        Path folder;
        if (UserFolders.user() == 0) {
            folder = Files.createDirectory(work.resolve("strange"));
            Files.setAttribute(folder, "unix:uid", 12345);
        } else {
            folder = Path.of("/usr");
        }
        HostException refused = assertThrows(HostException.class, () -> RunFolder.open(folder));
        assertTrue(refused.getMessage().startsWith("run folder " + folder + ": belongs to somebody else"));
    }

    @Test
    void whatIsNoFolderIsRefused() throws Exception {
        Path file = Files.createFile(work.resolve("file"));
        assertTrue(assertThrows(HostException.class, () -> RunFolder.open(file))
                .getMessage()
                .contains("is not a folder"));
        Path link = Files.createSymbolicLink(work.resolve("link"), work);
        assertTrue(assertThrows(HostException.class, () -> RunFolder.open(link))
                .getMessage()
                .contains("is not a folder"));
        assertTrue(assertThrows(HostException.class, () -> RunFolder.open(work.resolve("absent/run")))
                .getMessage()
                .contains("cannot be used"));
    }

    @Test
    void namesAreUnique() {
        RunFolder folder = RunFolder.open(work.resolve("run"));
        assertEquals("vm", folder.reserve("").name());
        assertEquals("vm-2", folder.reserve("").name());
        assertEquals("web", folder.reserve("web").name());
        ControlException taken = assertThrows(ControlException.class, () -> folder.reserve("web"));
        assertEquals(
                "name web: is taken by the machine of process "
                        + ProcessHandle.current().pid(),
                taken.getMessage());
        assertEquals(
                List.of("vm", "vm-2", "web"),
                folder.sockets().stream().map(RunFolder.Socket::name).toList());
        assertFalse(folder.sockets().getFirst().listens());
        for (String bad : List.of("a/b", "-x", "a b", "x".repeat(33), "ä")) {
            assertThrows(HostException.class, () -> folder.reserve(bad), bad);
        }
    }

    @Test
    void whatTheDeadLeaveBehindIsRemoved() throws Exception {
        RunFolder folder = RunFolder.open(work.resolve("run"));
        Path stale = Files.createFile(work.resolve("run/vm-" + NO_PROCESS + ".sock"));
        Path hidden = Files.createFile(work.resolve("run/.vm-" + NO_PROCESS + ".sock"));
        Path other = Files.createFile(work.resolve("run/notes.txt"));
        assertEquals(List.of(), folder.sockets());
        assertFalse(Files.exists(stale));
        assertFalse(Files.exists(hidden));
        assertTrue(Files.exists(other));
        assertEquals("vm", folder.reserve("").name());
    }
}
