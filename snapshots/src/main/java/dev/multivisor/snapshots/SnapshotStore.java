package dev.multivisor.snapshots;

import dev.multivisor.host.Capture;
import dev.multivisor.host.CaptureRequest;
import dev.multivisor.host.HostException;
import dev.multivisor.host.UserFolders;
import dev.multivisor.host.VirtualMachine;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The folder with this user's snapshots. What a guest has in its memory is nobody else's business, so that folders and
 * files are their owner's alone. A snapshot is made under a hidden name and renamed when all of it is on the disk; what
 * a dead process has left behind under such a name is removed by the next one.
 */
public final class SnapshotStore {
    /** More of them would make a restore slow. */
    private static final int MOST_ANCESTORS = 15;

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");
    private static final Pattern UNFINISHED = Pattern.compile("\\." + NAME + "~(\\d{1,10})");
    private static final FileAttribute<?> FOLDER =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    private static final FileAttribute<?> FILE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

    private static final ReentrantLock LOCK = new ReentrantLock();

    private final Path folder;

    /** A store in a folder, which is made with the first snapshot. */
    public SnapshotStore(Path folder) {
        this.folder = folder;
    }

    /** This user's: {@code multivisor/snapshots} under {@code XDG_DATA_HOME} or {@code ~/.local/share}. */
    public static SnapshotStore open() {
        return new SnapshotStore(UserFolders.data().resolve("snapshots"));
    }

    /**
     * What there is.
     *
     * @param snapshots those that can be used, by name
     * @param problems one line for each that cannot
     */
    public record Listing(List<Snapshot> snapshots, List<String> problems) {
        public Listing {
            snapshots = List.copyOf(snapshots);
            problems = List.copyOf(problems);
        }
    }

    /** Looks what there is; only manifests are read. */
    public Listing list() {
        List<Snapshot> snapshots = new ArrayList<>();
        List<String> problems = new ArrayList<>();
        for (String name : names()) {
            try {
                snapshots.add(find(name));
            } catch (HostException e) {
                problems.add(e.getMessage());
            }
        }
        return new Listing(snapshots, problems);
    }

    private List<String> names() {
        List<String> names = new ArrayList<>();
        if (Files.isDirectory(folder)) {
            try (DirectoryStream<Path> all = Files.newDirectoryStream(folder, Files::isDirectory)) {
                for (Path path : all) {
                    String name = path.getFileName().toString();
                    if (NAME.matcher(name).matches()) {
                        names.add(name);
                    }
                }
            } catch (IOException e) {
                throw problem("cannot be read", e);
            }
        }
        names.sort(null);
        return names;
    }

    /**
     * A snapshot with its ancestors.
     *
     * @param named its name, or the path of its folder, which has a slash in it
     * @throws HostException if there is none, or a manifest is damaged, or an ancestor is missing
     */
    public Snapshot find(String named) {
        if (named.contains("/")) {
            Path path = Path.of(named).toAbsolutePath().normalize();
            if (path.getParent() == null || !Files.isDirectory(path)) {
                throw new HostException("snapshot " + named + ": is no folder");
            }
            return new SnapshotStore(path.getParent()).read(path.getFileName().toString(), 0);
        }
        checkName(named);
        return read(named, 0);
    }

    private Snapshot read(String name, int depth) {
        Path path = folder.resolve(name);
        if (!Files.isDirectory(path)) {
            List<String> others = names();
            throw new HostException("snapshot " + name + ": there is none of this name in " + folder
                    + (others.isEmpty() ? "" : "; there is " + String.join(", ", others)));
        }
        Manifest manifest = ManifestFile.read(path.resolve(Snapshot.MANIFEST));
        List<Snapshot> ancestors = new ArrayList<>();
        if (manifest.parent().isPresent()) {
            Snapshot parent = parent(path, manifest.parent().get(), depth);
            ancestors.add(parent);
            ancestors.addAll(parent.ancestors());
        }
        return new Snapshot(name, path, manifest, ancestors);
    }

    private Snapshot parent(Path path, Manifest.Parent wanted, int depth) {
        String start = "snapshot " + path.resolve(Snapshot.MANIFEST) + ": parent: ";
        if (depth >= MOST_ANCESTORS || !NAME.matcher(wanted.name()).matches()) {
            throw new HostException(start + wanted.name() + " cannot be one");
        }
        if (!Files.isDirectory(folder.resolve(wanted.name()))) {
            throw new HostException(start + wanted.name() + " is missing");
        }
        Snapshot parent = read(wanted.name(), depth + 1);
        if (!parent.manifest().id().equals(wanted.id())) {
            throw new HostException(start + wanted.name() + " is another snapshot of this name ("
                    + parent.manifest().id() + " instead of " + wanted.id() + ")");
        }
        return parent;
    }

    /**
     * Checks what is to be a snapshot's name.
     *
     * @throws HostException if it cannot be one
     */
    public static void checkName(String name) {
        if (!NAME.matcher(name).matches()) {
            throw new HostException(
                    "snapshot \"" + name + "\": is not 1 to 64 letters, digits, dots, hyphens and underscores");
        }
    }

    // ---- Making one ----

    /**
     * Makes a snapshot of a machine, which then goes on.
     *
     * @throws HostException if the name is taken, the parent cannot be one, or anything cannot be written; then nothing
     *     is left behind
     */
    public Snapshot create(VirtualMachine machine, SnapshotRequest request) {
        if (!request.name().isEmpty()) {
            checkName(request.name());
        }
        Optional<Snapshot> parent = request.parent().map(this::find);
        parent.ifPresent(over -> checkParent(over, machine.status().memory()));
        Path hidden = locked(() -> begin(machine.name(), request.name()));
        String hiddenName = hidden.getFileName().toString();
        String name = hiddenName.substring(1, hiddenName.indexOf('~'));
        try {
            write(hidden, machine, parent, request.live());
            return locked(() -> {
                Path path = folder.resolve(name);
                if (Files.exists(path)) {
                    throw new HostException("snapshot " + name + ": there is one of this name already");
                }
                Files.move(hidden, path, StandardCopyOption.ATOMIC_MOVE);
                force(folder);
                return read(name, 0);
            });
        } catch (IOException e) {
            throw new HostException("snapshot " + name + ": cannot be written (" + e.getMessage() + ")", e);
        } finally {
            delete(hidden);
        }
    }

    private static void checkParent(Snapshot parent, long memory) {
        if (parent.manifest().memory() != memory) {
            throw new HostException("snapshot " + parent.name() + ": cannot be the parent: it has "
                    + parent.manifest().memory() + " bytes of memory, the machine " + memory);
        }
        if (parent.ancestors().size() >= MOST_ANCESTORS) {
            throw new HostException("snapshot " + parent.name() + ": cannot be the parent: it has " + MOST_ANCESTORS
                    + " ancestors, which is the most; make one without a parent");
        }
    }

    /** Takes a name and makes the folder in which the snapshot comes to be. */
    private Path begin(String machine, String wanted) throws IOException {
        List<String> taken = new ArrayList<>(names());
        try (DirectoryStream<Path> all = Files.newDirectoryStream(folder, ".*~*")) {
            for (Path path : all) {
                String file = path.getFileName().toString();
                Matcher matcher = UNFINISHED.matcher(file);
                if (!matcher.matches()) {
                    continue;
                }
                if (ProcessHandle.of(Long.parseLong(matcher.group(1)))
                        .map(ProcessHandle::isAlive)
                        .orElse(false)) {
                    taken.add(file.substring(1, file.indexOf('~')));
                } else {
                    delete(path);
                }
            }
        }
        String name = wanted;
        for (int n = 1; name.isEmpty(); n++) {
            name = taken.contains(machine + "-" + n) ? "" : machine + "-" + n;
        }
        if (taken.contains(name)) {
            throw new HostException("snapshot " + name + ": there is one of this name already");
        }
        return Files.createDirectory(
                folder.resolve("." + name + "~" + ProcessHandle.current().pid()), FOLDER);
    }

    private static void write(Path path, VirtualMachine machine, Optional<Snapshot> parent, boolean live)
            throws IOException {
        String id = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
        Capture capture;
        Path memory = Files.createFile(path.resolve(Snapshot.MEMORY), FILE);
        try (RandomAccessFile file = new RandomAccessFile(memory.toFile(), "rw")) {
            file.setLength(machine.status().memory());
            capture = machine.capture(new CaptureRequest(
                    id,
                    file.getChannel(),
                    parent.map(over -> new CaptureRequest.Parent(over.manifest().id(), over.memory())),
                    live));
            file.getChannel().force(true);
        }
        byte[] pages = Snapshot.bytes(capture.pages());
        byte[] state = capture.machine().state();
        put(path.resolve(Snapshot.PAGES), pages);
        put(path.resolve(Snapshot.STATE), state);
        Manifest manifest = Manifest.of(
                id,
                parent.map(
                        over -> new Manifest.Parent(over.name(), over.manifest().id())),
                machine.name(),
                capture,
                live,
                new Manifest.Content(state.length, Snapshot.checksum(state)),
                new Manifest.Content(pages.length, Snapshot.checksum(pages)));
        put(path.resolve(Snapshot.MANIFEST), ManifestFile.write(manifest));
        force(path);
    }

    private static void put(Path file, byte[] bytes) throws IOException {
        Files.createFile(file, FILE);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            ByteBuffer rest = ByteBuffer.wrap(bytes);
            while (rest.hasRemaining()) {
                channel.write(rest);
            }
            channel.force(true);
        }
    }

    /** A name is on the disk only when its folder is. */
    private static void force(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    // ---- Removing one ----

    /**
     * Removes a snapshot. Machines that were started from it go on.
     *
     * @throws HostException if there is none, or others lie over it
     */
    public void remove(String name) {
        checkName(name);
        locked(() -> {
            Path path = folder.resolve(name);
            if (!Files.isDirectory(path)) {
                return read(name, 0);
            }
            List<String> children = list().snapshots().stream()
                    .filter(other ->
                            other.manifest().parent().map(Manifest.Parent::name).equals(Optional.of(name)))
                    .map(Snapshot::name)
                    .toList();
            if (!children.isEmpty()) {
                throw new HostException("snapshot " + name + ": is the parent of " + String.join(", ", children)
                        + "; remove " + (children.size() == 1 ? "that" : "those") + " first");
            }
            Path hidden =
                    folder.resolve("." + name + "~" + ProcessHandle.current().pid());
            Files.move(path, hidden, StandardCopyOption.ATOMIC_MOVE);
            delete(hidden);
            return name;
        });
    }

    /** Removes a folder without others in it, if it is there. */
    private static void delete(Path path) {
        if (!Files.isDirectory(path)) {
            return;
        }
        try (DirectoryStream<Path> files = Files.newDirectoryStream(path)) {
            for (Path file : files) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(path);
        } catch (IOException e) {
            System.getLogger(SnapshotStore.class.getName())
                    .log(System.Logger.Level.WARNING, path + ": cannot be removed", e);
        }
    }

    private interface Action<T> {
        T run() throws IOException;
    }

    private <T> T locked(Action<T> action) {
        // The file's lock is the process's, not the thread's.
        LOCK.lock();
        try {
            Files.createDirectories(folder.getParent());
            if (!Files.isDirectory(folder)) {
                Files.createDirectories(folder, FOLDER);
            }
            try (FileChannel channel = FileChannel.open(
                            folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock lock = channel.lock()) {
                assert lock.isValid();
                return action.run();
            }
        } catch (IOException e) {
            throw problem("cannot be changed", e);
        } finally {
            LOCK.unlock();
        }
    }

    private HostException problem(String what, IOException e) {
        return new HostException("snapshots folder " + folder + ": " + what + " (" + e + ")", e);
    }
}
