package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever is wrong with what the user gives: status 2 and one line that names it. */
class BadInputTest {
    @TempDir
    Path folder;

    @Test
    void absentFiles() throws Exception {
        String kernel = Guests.kernel("DEBUG_EXIT").toString();
        assertBad("/absent", "run", "--kernel", "/absent");
        assertBad("/absent", "run", "--kernel", kernel, "--initrd", "/absent");
        assertBad("/absent", "run", "--script", "/absent");
        assertBad("/absent", "run", "--file", "/absent:/root/x");
        assertBad("/absent/log", "run", "--kernel", kernel, "--log", "/absent/log");
        assertBad("/absent.jar", "run", "--kernel", kernel, "--engine", "/absent.jar");
        assertBad("debian-3", "run", "--image", "debian-3");
        assertBad(folder.toString(), "run", "--kernel", folder.toString());
    }

    @Test
    void absurdSizes() throws Exception {
        String kernel = Guests.kernel("DEBUG_EXIT").toString();
        for (String size :
                new String[] {"0", "1", "-1", "1K", "12Q", "", "99999999999999999999G", "9000000T", "4097"}) {
            assertBad("--memory", "run", "--kernel", kernel, "--memory", size);
        }
        for (String count : new String[] {"0", "-1", "256", "99999999999", "two"}) {
            assertBad("--cpus", "run", "--kernel", kernel, "--cpus", count);
        }
        for (String time : new String[] {"0s", "-1s", "soon", "5y"}) {
            assertBad("--timeout", "run", "--kernel", kernel, "--timeout", time);
        }
    }

    @Test
    void wrongUse() throws Exception {
        assertBad("--colour", "run", "--colour");
        assertBad("fly", "fly");
        assertBad("command");
        assertBad("--file", "run", "--file", "nowhere");
        assertBad("colour", "run", "--kernel", Guests.kernel("DEBUG_EXIT").toString(), "--param", "colour=red");
    }

    @Test
    void whatIsNoKernel() throws Exception {
        byte[] elf = Files.readAllBytes(Guests.kernel("DEBUG_EXIT"));
        assertKernelIsBad("empty", new byte[0]);
        assertKernelIsBad("text", "no kernel at all".getBytes());
        assertKernelIsBad("zeros", new byte[1 << 20]);
        for (int length : new int[] {4, 30, 60, 100, 120}) {
            assertKernelIsBad("elf cut at " + length, Arrays.copyOf(elf, length));
        }
        byte[] overflowing = elf.clone();
        Arrays.fill(overflowing, 52 + 16, 52 + 20, (byte) 0xff);
        assertKernelIsBad("an endless segment", overflowing);
    }

    @Test
    void cutBzImages() throws Exception {
        Guests.require("debian-12", folder);
        Path kernel;
        try (Stream<Path> files = Files.walk(Guests.image("debian-12"))) {
            kernel = files.filter(file -> file.getFileName().toString().matches("(vmlinuz|kernel|bzImage).*"))
                    .findFirst()
                    .orElseThrow();
        }
        byte[] image = Files.readAllBytes(kernel);
        for (int length : new int[] {500, 1000, 20_000, 1_000_000, image.length / 2, image.length - 20_000}) {
            assertKernelIsBad("bzImage cut at " + length, Arrays.copyOf(image, length));
        }
        byte[] damaged = image.clone();
        Arrays.fill(damaged, image.length / 2, image.length / 2 + 64, (byte) 0x5a);
        assertKernelIsBad("bzImage damaged", damaged);
    }

    @Test
    void engines() throws Exception {
        String kernel = Guests.kernel("DEBUG_EXIT").toString();
        Path text = Files.writeString(folder.resolve("text.jar"), "no JAR");
        assertBad(text.toString(), "run", "--kernel", kernel, "--engine", text.toString());
        Path plain = jar("plain.jar", null, null);
        assertBad("no engine", "run", "--kernel", kernel, "--engine", plain.toString());
        Path newer = jar("newer.jar", "9.9", "999");
        assertBad("contract 999", "run", "--kernel", kernel, "--engine", newer.toString());
        Path hollow = jar("hollow.jar", "9.9", "1");
        assertBad(hollow.toString(), "run", "--kernel", kernel, "--engine", hollow.toString());
        assertBad("7.7", "run", "--kernel", kernel, "--engine", "7.7");
    }

    private Path jar(String name, String version, String contract) throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        if (version != null) {
            manifest.getMainAttributes().putValue("Multivisor-Engine", version);
            manifest.getMainAttributes().putValue("Multivisor-Contract", contract);
        }
        Path path = folder.resolve(name);
        try (OutputStream file = Files.newOutputStream(path);
                JarOutputStream out = new JarOutputStream(file, manifest)) {
            out.putNextEntry(new JarEntry("readme"));
        }
        return path;
    }

    private void assertKernelIsBad(String what, byte[] content) throws Exception {
        Path file = Files.write(folder.resolve("kernel"), content);
        assertBad(file.toString(), "run", "--timeout", "20s", "--kernel", file.toString());
        assertTrue(Files.deleteIfExists(file), what);
    }

    private void assertBad(String problem, String... arguments) throws Exception {
        Launcher.Result result = Launcher.run(folder, arguments);
        String what = String.join(" ", arguments);
        assertEquals(2, result.status(), () -> what + ": " + result);
        assertEquals(1, result.err().lines().count(), () -> what + ": " + result);
        assertTrue(result.err().startsWith("multivisor: "), () -> what + ": " + result);
        assertTrue(result.err().contains(problem), () -> what + ": " + result);
        assertEquals("", result.out(), what);
    }
}
