package dev.multivisor.server;

import dev.multivisor.host.HostException;
import dev.multivisor.host.UserFolders;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The folder with the sockets of this user's running machines, {@code NAME-PID.sock}. Nobody else may look into it.
 * Before a process listens, an empty file stands for its socket, so that its name is taken. What a dead process has
 * left behind is removed by whoever finds it.
 */
public final class RunFolder {
    private static final Set<PosixFilePermission> PRIVATE = PosixFilePermissions.fromString("rwx------");
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,31}");
    private static final Pattern FILE = Pattern.compile("(" + NAME + ")-(\\d{1,10})\\.sock");
    private static final String STANDARD_NAME = "vm";

    private final Path folder;

    /**
     * A machine's socket.
     *
     * @param path where it is
     * @param name the machine's name
     * @param pid the process that listens, or will
     */
    public record Socket(Path path, String name, long pid) {
        /** Whether the process listens by now. */
        public boolean listens() {
            return !Files.isRegularFile(path);
        }
    }

    private RunFolder(Path folder) {
        this.folder = folder;
    }

    /**
     * This user's folder, made if it was absent.
     *
     * @throws HostException if it cannot be made, or is not this user's alone
     */
    public static RunFolder open() {
        return open(UserFolders.run());
    }

    static RunFolder open(Path folder) {
        try {
            try {
                Files.createDirectory(folder, PosixFilePermissions.asFileAttribute(PRIVATE));
            } catch (FileAlreadyExistsException e) {
                // Another run has made it, or a stranger: that is looked at now.
            }
            PosixFileAttributes attributes =
                    Files.readAttributes(folder, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            int owner = (Integer) Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS);
            if (!attributes.isDirectory()) {
                throw new HostException("run folder " + folder + ": is not a folder");
            }
            if (owner != UserFolders.user()) {
                throw new HostException("run folder " + folder + ": belongs to somebody else (user " + owner + ")");
            }
            if (!attributes.permissions().equals(PRIVATE)) {
                Files.setPosixFilePermissions(folder, PRIVATE);
            }
            return new RunFolder(folder);
        } catch (IOException e) {
            throw new HostException("run folder " + folder + ": cannot be used (" + reason(e) + ")", e);
        }
    }

    /**
     * The sockets of processes that live, by name. Those of dead ones are removed.
     *
     * @throws HostException if the folder cannot be read
     */
    public List<Socket> sockets() {
        List<Socket> sockets = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                Matcher matcher = FILE.matcher(file.getFileName().toString());
                if (!matcher.matches()) {
                    continue;
                }
                Socket socket = new Socket(file, matcher.group(1), Long.parseLong(matcher.group(2)));
                if (ProcessHandle.of(socket.pid).map(ProcessHandle::isAlive).orElse(false)) {
                    sockets.add(socket);
                } else {
                    Files.deleteIfExists(file);
                    Files.deleteIfExists(hidden(file));
                }
            }
        } catch (IOException e) {
            throw new HostException("run folder " + folder + ": cannot be read (" + reason(e) + ")", e);
        }
        sockets.sort(Comparator.comparing(Socket::name).thenComparing(Socket::pid));
        return sockets;
    }

    /**
     * Takes a name for a machine of this process.
     *
     * @param wanted the name; empty for the next that is free of {@code vm}, {@code vm-2} and so on
     * @throws ControlException if a machine has that name already
     * @throws HostException if it cannot be a name, or the folder cannot be written to
     */
    public Socket reserve(String wanted) {
        if (!wanted.isEmpty()) {
            checkName(wanted);
        }
        try (FileChannel channel =
                FileChannel.open(folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            // Until the channel is closed.
            channel.lock();
            List<Socket> taken = sockets();
            String name = wanted.isEmpty() ? free(taken) : wanted;
            for (Socket other : taken) {
                if (other.name.equals(name)) {
                    throw new ControlException(
                            ControlException.CONFLICT,
                            "name " + name + ": is taken by the machine of process " + other.pid);
                }
            }
            long pid = ProcessHandle.current().pid();
            Path path = folder.resolve(name + "-" + pid + ".sock");
            Files.createFile(path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            return new Socket(path, name, pid);
        } catch (IOException e) {
            throw new HostException("run folder " + folder + ": cannot be used (" + reason(e) + ")", e);
        }
    }

    /**
     * Checks what is to be a machine's name.
     *
     * @throws HostException if it cannot be one
     */
    public static void checkName(String name) {
        if (!NAME.matcher(name).matches()) {
            throw new HostException(
                    "name \"" + name + "\": is not 1 to 32 letters, digits, dots, hyphens and underscores");
        }
    }

    private static String free(List<Socket> taken) {
        List<String> names = taken.stream().map(Socket::name).toList();
        String name = STANDARD_NAME;
        for (int n = 2; names.contains(name); n++) {
            name = STANDARD_NAME + "-" + n;
        }
        return name;
    }

    /** Where a socket is made before it takes the place of the empty file. */
    static Path hidden(Path socket) {
        return socket.resolveSibling("." + socket.getFileName());
    }

    private static String reason(IOException e) {
        return e.getClass().getSimpleName().replaceAll("Exception$", "") + ": " + e.getMessage();
    }
}
