package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A module in Debian changes the kernel that it is in, and {@code multivisor watch} tells. */
@Timeout(600)
class WatchTest {
    /** What {@code patcher} does in each round; a system call and an interrupt that nobody uses, and a function. */
    private static final List<String> JOBS = List.of(
            "sys_call_table+1448:0:image",
            "sys_call_table+1448:0:direct",
            "idt_table+4064:0x1122334455667788:image",
            "emergency_restart+0:0xcccccccccccccccc:direct");

    /** What each of them is told as: part, symbol and what was written, if that is known. */
    private static final List<String> TOLD = List.of(
            "syscalls sys_call_table[181] ",
            "syscalls sys_call_table[181] ",
            "idt idt_table[254] 8877665544332211",
            "text emergency_restart cccccccccccccccc");

    private static final String SCRIPT = "./patcher ./patcher.ko 1000 @JOBS@\n";

    @TempDir
    Path folder;

    private final List<Launcher.Running> runs = new ArrayList<>();

    @AfterEach
    void end() throws InterruptedException {
        for (Launcher.Running run : runs) {
            run.process().destroyForcibly().waitFor();
        }
    }

    private Launcher.Running start(String... arguments) throws Exception {
        Launcher.Running run = Launcher.start(
                folder,
                Redirect.from(Path.of("/dev/null").toFile()),
                Map.of("XDG_RUNTIME_DIR", folder.toString()),
                Launcher.command(arguments));
        runs.add(run);
        return run;
    }

    private Launcher.Result multivisor(int status, String... arguments) throws Exception {
        Launcher.Result result = start(arguments).await();
        assertEquals(status, result.status(), () -> String.join(" ", arguments) + ": " + result);
        return result;
    }

    /** A change as a line of JSON tells it. */
    private record Change(
            String part,
            String means,
            String physical,
            String linear,
            String symbol,
            String before,
            String after,
            String instruction,
            String code,
            long delayNanos) {
        private static final Pattern FIELD = Pattern.compile("\"(\\w+)\" ?: ?\"?([^\",}]*)");

        static List<Change> of(String lines) {
            return lines.lines()
                    .filter(line -> line.contains("\"changed\""))
                    .map(line -> {
                        Map<String, String> fields = new java.util.HashMap<>();
                        Matcher matcher = FIELD.matcher(line);
                        for (MatchResult field : matcher.results().toList()) {
                            fields.put(field.group(1), field.group(2));
                        }
                        return new Change(
                                fields.get("part"),
                                fields.get("means"),
                                fields.get("physical"),
                                fields.get("linear"),
                                fields.get("symbol"),
                                fields.get("before"),
                                fields.get("after"),
                                fields.getOrDefault("instruction", ""),
                                fields.getOrDefault("code", ""),
                                Long.parseLong(fields.get("delayNanos")));
                    })
                    .toList();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"debian-12", "debian-13"})
    void aModuleThatChangesTheKernelIsTold(String image) throws Exception {
        Guests.require(image, folder);
        String jobs = String.join(" ", JOBS);
        Path script = Files.writeString(folder.resolve("script.sh"), SCRIPT.replace("@JOBS@", jobs));
        Launcher.Running guest = start(
                "run",
                "--name",
                "guest",
                "--image",
                image,
                "--cpus",
                "2",
                "--file",
                Guests.program("patcher") + ":/root/patcher",
                "--file",
                KernelModule.patcher(image) + ":/root/patcher.ko",
                "--script",
                script.toString());
        awaitMachine("guest");
        Launcher.Running watch = start("watch", "guest", "--format", "json", "--all");
        Launcher.Running text = start("watch", "guest");
        watch.awaitOutput("\"watching\"");
        text.awaitOutput(" watching Linux version ");
        awaitRounds(watch, 3);

        // To another instance, and not to an engine that cannot.
        multivisor(0, "upgrade", "guest", "--param", "slice=5000", "--rehearsal", "1s", "--deadline", "5s");
        watch.awaitOutput("\"moved\"");
        awaitRounds(watch, 6);
        Launcher.Result refused = multivisor(1, "upgrade", "guest", "--to", "0.1.0");
        assertTrue((refused.out() + refused.err()).contains("engine 0.1.0 cannot track pages"), refused::toString);
        multivisor(0, "rollback", "guest", "--deadline", "5s");
        awaitRounds(watch, 9);

        // That one tells no registers: the kernel is found without, and its own changes are told in another way.
        multivisor(0, "upgrade", "guest", "--to", "0.2.0", "--rehearsal", "1s", "--deadline", "5s");
        awaitRounds(watch, 12);
        Launcher.Running late = start("watch", "guest");
        late.awaitOutput(" watching Linux version ");
        late.awaitOutput(" [patcher], told ");
        awaitRounds(watch, 15);
        multivisor(0, "stop", "guest");
        Launcher.Result told = watch.await();
        Launcher.Result shown = text.await();
        assertEquals(0, told.status(), told::toString);
        assertEquals(0, shown.status(), shown::toString);
        assertTrue(told.out().contains("\"ended\""), told::toString);
        String found = text.printed().lines().findFirst().orElse("").replaceFirst("^\\S+ ", "");
        assertTrue(late.await().out().lines().findFirst().orElse("").endsWith(found), late::printed);
        check(guest.printed(), Change.of(told.out()));
        checkText(shown.out());
    }

    /** Without a last line that is still being printed. */
    private static String wholeLines(String printed) {
        return printed.substring(0, printed.lastIndexOf('\n') + 1);
    }

    private static void awaitRounds(Launcher.Running watch, int rounds) throws InterruptedException {
        while (alterations(Change.of(wholeLines(watch.printed()))).size() < rounds * 2 * JOBS.size()) {
            assertTrue(watch.process().isAlive(), watch::printed);
            Thread.sleep(50);
        }
    }

    private static List<Change> alterations(List<Change> changes) {
        return changes.stream().filter(change -> change.means.equals("cpu")).toList();
    }

    /** Each job of each round is told twice, there and back, with where the guest says that it was. */
    private static void check(String printed, List<Change> changes) {
        List<String> addresses = printed.lines()
                .filter(line -> line.startsWith("JOB "))
                .limit(JOBS.size())
                .map(line -> line.split(" ")[2].strip())
                .toList();
        List<Change> altered = alterations(changes);
        // Which job of a round is the first that was watched, depends, and whether there or back.
        int first = 0;
        while (!altered.get(first).part.equals("syscalls")
                || !altered.get(first + 3).part.equals("syscalls")
                || !altered.get(first + 4).part.equals("idt")) {
            first++;
        }
        List<Change> whole = altered.subList(first, altered.size());
        for (int n = 0; n + 1 < whole.size(); n += 2) {
            Change there = whole.get(n);
            Change back = whole.get(n + 1);
            int job = n / 2 % JOBS.size();
            assertEquals(addresses.get(job), there.linear);
            String seen = there.part + " " + there.symbol + " " + there.after;
            assertTrue(seen.startsWith(TOLD.get(job)), seen);
            assertEquals(there.after, back.before);
            assertEquals(there.before, back.after);
            assertEquals(16, there.after.length());
            assertEquals("[patcher]", there.code);
            assertEquals("[patcher]", back.code);
            assertEquals(there.instruction, back.instruction);
            assertEquals(
                    Long.parseUnsignedLong(there.linear.substring(2), 16) - distance(whole.getFirst()),
                    Long.parseUnsignedLong(there.physical.substring(2), 16));
        }
        List<Change> pokes =
                changes.stream().filter(c -> !c.means.equals("cpu")).toList();
        assertTrue(pokes.size() > 10, () -> "changes by the kernel itself: " + pokes);
        assertEquals(changes.size(), altered.size() + pokes.size());
        for (String means : List.of("text_poke", "kernel")) {
            assertTrue(pokes.stream().anyMatch(poke -> poke.means.equals(means)), means);
        }
        pokes.forEach(poke -> {
            assertEquals("text", poke.part, poke::toString);
            assertTrue(!poke.code.isEmpty() && !poke.code.startsWith("["), poke::toString);
        });
        long[] delays = altered.stream().mapToLong(Change::delayNanos).sorted().toArray();
        System.out.printf(
                "%d changes told after %d us in the middle, %d at the 90th percentile, %d at most; %d by the kernel, by %s%n",
                delays.length,
                delays[delays.length / 2] / 1000,
                delays[delays.length * 9 / 10] / 1000,
                delays[delays.length - 1] / 1000,
                pokes.size(),
                pokes.getFirst().code);
        assertTrue(delays[delays.length / 2] < 1_000_000, () -> "delays in ns: " + List.of(delays));
    }

    private static long distance(Change change) {
        return Long.parseUnsignedLong(change.linear.substring(2), 16)
                - Long.parseUnsignedLong(change.physical.substring(2), 16);
    }

    private static void checkText(String text) {
        assertTrue(text.contains(" by the kernel itself, the last one at "), text);
        assertTrue(text.contains("syscalls sys_call_table[181] at 0xffffffff"), text);
        assertTrue(text.contains(" moved on engine "), text);
        long[] micros = Pattern.compile("cpu, .* told after ([0-9]+) us")
                .matcher(text)
                .results()
                .mapToLong(m -> Long.parseLong(m.group(1)))
                .sorted()
                .toArray();
        System.out.printf(
                "%d lines printed by the other process after %d us in the middle, %d at most%n",
                micros.length, micros[micros.length / 2], micros[micros.length - 1]);
        // Another process, which has to get a processor besides the guest's two: no promise, but not long either.
        assertTrue(micros[micros.length / 2] < 20_000, text);
    }

    @Test
    void wrongUse() throws Exception {
        bad(2, "machine absent: there is none of this name", "watch", "absent");
        bad(2, "Missing required parameter: 'VM'", "watch");
        bad(2, "Unknown option: '--colour'", "watch", "x", "--colour");
        start("run", "--name", "small", "--kernel", Guests.storm().toString(), "--memory", "16M");
        awaitMachine("small");
        bad(
                1,
                "machine small: has no Linux kernel that is recognised (the processor's LSTAR is 0x0)",
                "watch",
                "small");
        start("run", "--name", "old", "--kernel", Guests.storm().toString(), "--memory", "16M", "--engine", "0.1.0");
        awaitMachine("old");
        bad(1, "machine old: engine 0.1.0 cannot track pages", "watch", "old");
    }

    /** Waits until a machine that was just started can be seen. */
    private void awaitMachine(String name) throws Exception {
        while (multivisor(0, "ps").out().lines().noneMatch(line -> line.startsWith(name + " "))) {
            Thread.sleep(100);
        }
    }

    private void bad(int status, String problem, String... arguments) throws Exception {
        Launcher.Result result = multivisor(status, arguments);
        assertEquals(1, result.err().lines().count(), result::toString);
        assertTrue(result.err().startsWith("multivisor: ") && result.err().contains(problem), result::toString);
    }
}
