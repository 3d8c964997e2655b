package dev.multivisor.images;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveOutputStream;
import org.apache.commons.compress.archivers.cpio.CpioConstants;

/**
 * Writes the guest's first file system: busybox, an {@code /init}, and the user's script and files, as a cpio archive
 * (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). It is not compressed, for the guest would have
 * to unpack it.
 */
public final class Initramfs {
    private static final String INIT = "init", SCRIPT = "script";

    /** Links all commands when their names are not known here. */
    private static final String INSTALL = "/bin/busybox --install -s /bin\n";

    private static final String INIT_SCRIPT = """
            #!/bin/busybox sh
            export PATH=/bin HOME=/root TERM="${TERM:-linux}"
            %smount -t proc proc /proc
            mount -t sysfs sysfs /sys
            mount -t devtmpfs devtmpfs /dev
            mkdir -p /dev/pts /dev/shm
            mount -t devpts devpts /dev/pts
            ifconfig lo up
            cd /root
            if [ -e /script ]; then
                stty -onlcr </dev/console
                /script </dev/console >/dev/console 2>&1
                debug-exit $? >/dev/console
            else
                export PS1='\\w \\$ ' ENV=/etc/shrc
                setsid cttyhack sh
                debug-exit >/dev/console
            fi
            poweroff -f
            """;

    /** Without -f these ask an init that serves them, which is more than there is here. */
    private static final String SHELL_SETTINGS = """
            alias poweroff='poweroff -f' reboot='reboot -f' halt='halt -f'
            """;

    /** One file: its mode with the type, and its content, the target of a link, or nothing. */
    private record Node(long mode, byte[] content, int major, int minor) {
        Node(long mode, byte[] content) {
            this(mode, content, 0, 0);
        }
    }

    private final Map<String, Node> nodes = new LinkedHashMap<>();

    /** Begins with an image's busybox and the project's {@code /init}. */
    public Initramfs(Image image) {
        for (String folder : List.of("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var")) {
            folder(folder, folder.equals("tmp") ? 01777 : 0755);
        }
        for (String link : List.of("sbin", "usr/bin", "usr/sbin")) {
            link(link, link.startsWith("usr/") ? "../bin" : "bin");
        }
        nodes.put("dev/console", new Node(CpioConstants.C_ISCHR | 0600, new byte[0], 5, 1));
        nodes.put("dev/null", new Node(CpioConstants.C_ISCHR | 0666, new byte[0], 1, 3));
        put("bin/busybox", 0755, read(image.busybox()));
        put("bin/debug-exit", 0755, DebugExit.program());
        for (String applet : image.applets()) {
            link("bin/" + applet, "busybox");
        }
        String install = image.applets().isEmpty() ? INSTALL : "";
        put(INIT, 0755, INIT_SCRIPT.formatted(install).getBytes(StandardCharsets.UTF_8));
        put("etc/shrc", 0644, SHELL_SETTINGS.getBytes(StandardCharsets.UTF_8));
        put("etc/passwd", 0644, "root:x:0:0:root:/root:/bin/sh\n".getBytes(StandardCharsets.UTF_8));
        put("etc/group", 0644, "root:x:0:\n".getBytes(StandardCharsets.UTF_8));
        put("etc/hosts", 0644, "127.0.0.1 localhost\n".getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Has the guest run a program instead of an interactive shell, with the console as its input and output. Its exit
     * status is written to the debug-exit port.
     *
     * @param content a script with or without {@code #!}, or a statically linked program
     */
    public Initramfs script(byte[] content) {
        put(SCRIPT, 0755, content);
        return this;
    }

    /**
     * Adds a file, or a folder with all that is in it. Modes are kept, and links stay links.
     *
     * @param guest its absolute path in the guest
     */
    public Initramfs file(Path host, String guest) {
        String path = guestPath(guest);
        if (!Files.exists(host)) {
            throw new ImageException(host + ": no such file");
        }
        if (!Files.isDirectory(host)) {
            add(host.toAbsolutePath(), path, true);
            return this;
        }
        try (Stream<Path> tree = Files.walk(host)) {
            for (Path entry : (Iterable<Path>) tree.sorted()::iterator) {
                String rest = host.relativize(entry).toString();
                if (!rest.isEmpty()) {
                    add(entry, path.isEmpty() ? rest : path + "/" + rest, false);
                } else if (!path.isEmpty()) {
                    add(entry, path, true);
                }
            }
        } catch (IOException e) {
            throw FileTrees.failed("cannot read " + host, e);
        }
        return this;
    }

    private static String guestPath(String guest) {
        if (!guest.startsWith("/")) {
            throw new ImageException(guest + ": a path in the guest must begin with /");
        }
        String path =
                Path.of(guest.replaceAll("/+", "/")).normalize().toString().substring(1);
        if (List.of(guest.split("/")).contains("..")) {
            throw new ImageException(guest + ": a path in the guest must not contain ..");
        }
        return path;
    }

    private void add(Path host, String guest, boolean follow) {
        LinkOption[] options = follow ? new LinkOption[0] : new LinkOption[] {LinkOption.NOFOLLOW_LINKS};
        try {
            parents(guest);
            if (Files.isSymbolicLink(host) && !follow) {
                link(guest, Files.readSymbolicLink(host).toString());
            } else if (Files.isDirectory(host, options)) {
                folder(guest, mode(host));
            } else if (Files.isRegularFile(host, options)) {
                put(guest, mode(host), Files.readAllBytes(host));
            } else {
                throw new ImageException(host + ": neither a file nor a folder nor a link");
            }
        } catch (IOException e) {
            throw FileTrees.failed("cannot read " + host, e);
        }
    }

    private void parents(String guest) {
        for (int slash = guest.indexOf('/'); slash > 0; slash = guest.indexOf('/', slash + 1)) {
            folder(guest.substring(0, slash), 0755);
        }
    }

    private static long mode(Path host) throws IOException {
        Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(host);
        long mode = 0;
        for (PosixFilePermission permission : permissions) {
            mode |= 0400 >> permission.ordinal();
        }
        return mode;
    }

    /** A folder that is there already, or a link to one, stays as it is. */
    private void folder(String path, long mode) {
        nodes.putIfAbsent(path, new Node(CpioConstants.C_ISDIR | mode, new byte[0]));
    }

    private void link(String path, String target) {
        nodes.put(path, new Node(CpioConstants.C_ISLNK | 0777, target.getBytes(StandardCharsets.UTF_8)));
    }

    private void put(String path, long mode, byte[] content) {
        nodes.put(path, new Node(CpioConstants.C_ISREG | mode, content));
    }

    private static byte[] read(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw FileTrees.failed("cannot read " + file, e);
        }
    }

    /** Writes the archive; the same content always gives the same bytes. */
    public void write(OutputStream out) throws IOException {
        var cpio = new CpioArchiveOutputStream(out, CpioConstants.FORMAT_NEW, 512, "UTF-8");
        for (Map.Entry<String, Node> named : nodes.entrySet()) {
            Node node = named.getValue();
            var entry = new CpioArchiveEntry(CpioConstants.FORMAT_NEW, named.getKey(), node.content.length);
            entry.setMode(node.mode);
            entry.setNumberOfLinks((node.mode & CpioConstants.C_ISDIR) != 0 ? 2 : 1);
            if (node.major != 0) {
                entry.setRemoteDeviceMaj(node.major);
                entry.setRemoteDeviceMin(node.minor);
            }
            cpio.putArchiveEntry(entry);
            cpio.write(node.content);
            cpio.closeArchiveEntry();
        }
        cpio.finish();
        cpio.flush();
    }

    /** The archive. */
    public byte[] toByteArray() {
        var out = new ByteArrayOutputStream(4 << 20);
        try {
            write(out);
        } catch (IOException e) {
            throw FileTrees.failed("cannot write the initramfs", e);
        }
        return out.toByteArray();
    }
}
