package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Debian's kernels boot, run programs as the host's processor does, and end in each of the ways that a Linux system has.
 * Every boot serves several purposes, for it takes its time.
 */
class LinuxTest {
    /** Programs with checksums, then what the kernel says of its machine. */
    private static final String SCRIPT = """
            echo "== date $(date +%s)"
            echo "== cpus $(nproc)"
            echo "== selfcheck"
            ./compute >computed &
            ./selfcheck || echo "selfcheck: status $?"
            wait
            echo "== compute"
            awk '!/^round/ { print $1, $3 }' computed
            echo "== clocksource $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
            echo "== vulnerabilities"
            grep -Hv 'Not affected' /sys/devices/system/cpu/vulnerabilities/*
            echo "== dmesg"
            dmesg -r
            echo "== end"
            """;

    /** What a kernel says only when something is wrong with its machine. */
    private static final Pattern TROUBLE = Pattern.compile(
            "(?i)^<[0-4]>|WARNING:|BUG|Oops|call trace|stall|lockup|unstable|hung|firmware bug|\\bfail|\\berror|"
                    + "spurious|timed out|mismatch|not responding|skew|clock.*(back|wrong)|segfault|general protection");

    @TempDir
    Path folder;

    @Test
    void linux61OnOneProcessorEndsWithTheScriptsStatus() throws Exception {
        Launcher.Result result = script("debian-12", 1, "exit 7");
        assertEquals(7, result.status(), result::toString);
        assertEquals("", result.err());
        check(result, 1);
    }

    @Test
    void linux612OnTwoProcessorsHalts() throws Exception {
        Launcher.Result result = script("debian-13", 2, "halt -f");
        assertEquals(68, result.status(), result::toString);
        assertOneLine("halted", result);
        check(result, 2);
    }

    @Test
    void linux61OnTwoProcessorsPanics() throws Exception {
        // A kernel that panics loses what its terminal has not sent yet; stty waits for that.
        Launcher.Result result = script("debian-12", 2, "stty -echo\necho c > /proc/sysrq-trigger");
        assertEquals(64, result.status(), result::toString);
        assertOneLine("Kernel panic - not syncing: sysrq triggered crash", result);
        check(result, 2);
    }

    @Test
    void linux612OnOneProcessorPowersOffFromItsShell() throws Exception {
        Guests.require("debian-13", folder);
        String commands = SCRIPT + "poweroff\n";
        List<String> arguments = arguments("debian-13", 1);
        Launcher.Result result = Launcher.start(folder, commands, arguments.toArray(String[]::new))
                .await();
        assertEquals(0, result.status(), result::toString);
        assertEquals("", result.err());
        assertTrue(result.out().contains("~ # "), result::toString);
    }

    @Test
    void rebootStartsTheKernelAnew() throws Exception {
        Guests.require("debian-12", folder);
        Launcher.Running running = Launcher.start(folder, "reboot\n", "run");
        running.awaitOutput("reboot: Restarting system");
        int first = running.printed().length();
        while (running.printed().indexOf("Linux version", first - 1) < 0) {
            assertTrue(running.process().isAlive(), running::printed);
            Thread.sleep(50);
        }
        running.process().destroy();
        running.await();
    }

    private static List<String> arguments(String image, int cpus) throws IOException, InterruptedException {
        return List.of(
                "run",
                "--image",
                image,
                "--cpus",
                Integer.toString(cpus),
                "--file",
                Guests.program("selfcheck") + ":/root/selfcheck",
                "--file",
                Guests.program("compute") + ":/root/compute");
    }

    private Launcher.Result script(String image, int cpus, String end) throws Exception {
        Guests.require(image, folder);
        Path script = Files.writeString(folder.resolve("script"), SCRIPT + end + "\n");
        List<String> arguments = new java.util.ArrayList<>(arguments(image, cpus));
        arguments.addAll(List.of("--script", script.toString()));
        Instant before = Instant.now();
        Launcher.Result result = Launcher.run(folder, arguments);
        long date = Long.parseLong(line(result, "== date "));
        assertTrue(date >= before.getEpochSecond() - 1, () -> "the guest's clock is behind: " + result);
        assertTrue(date <= Instant.now().getEpochSecond() + 1, () -> "the guest's clock is ahead: " + result);
        return result;
    }

    private void check(Launcher.Result result, int cpus) throws Exception {
        assertEquals(Integer.toString(cpus), line(result, "== cpus "));
        assertEquals(Guests.output(List.of(Guests.program("selfcheck").toString())), section(result, "== selfcheck\n"));
        String computed = Guests.output(List.of(Guests.program("compute").toString()))
                .lines()
                .filter(line -> !line.startsWith("round"))
                .map(line -> line.replaceFirst(" +\\S+ +", " ") + "\n")
                .reduce("", String::concat);
        assertEquals(computed, section(result, "== compute\n"));
        assertTrue(List.of("tsc", "kvm-clock").contains(line(result, "== clocksource ")), result::toString);
        assertEquals("", section(result, "== vulnerabilities\n"));
        assertEquals(
                "",
                section(result, "== dmesg\n")
                        .lines()
                        .filter(line -> TROUBLE.matcher(line).find() && !Harmless.says(line))
                        .map(line -> line + "\n")
                        .reduce("", String::concat),
                result::toString);
    }

    private static String line(Launcher.Result result, String start) {
        Matcher matcher =
                Pattern.compile("(?m)^" + Pattern.quote(start) + "(.*)$").matcher(result.out());
        assertTrue(matcher.find(), () -> "no line " + start + " in " + result);
        return matcher.group(1);
    }

    private static String section(Launcher.Result result, String start) {
        int from = result.out().indexOf(start);
        assertTrue(from >= 0, () -> "no line " + start + " in " + result);
        int to = result.out().indexOf("== ", from + start.length());
        return result.out()
                .substring(from + start.length(), to < 0 ? result.out().length() : to);
    }

    private static void assertOneLine(String text, Launcher.Result result) {
        assertEquals(1, result.err().lines().count(), result::toString);
        assertTrue(result.err().contains(text), result::toString);
    }
}
